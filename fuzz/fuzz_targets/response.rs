//! libFuzzer's way into [`properties::response`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Err(violation) = properties::response::check(input) {
        panic!("{violation}");
    }
});
