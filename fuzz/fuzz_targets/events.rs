//! libFuzzer's way into [`properties::events`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Err(violation) = properties::events::check(input) {
        panic!("{violation}");
    }
});
