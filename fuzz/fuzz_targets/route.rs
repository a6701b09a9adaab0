//! libFuzzer's way into [`properties::route`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Err(violation) = properties::route::check(input) {
        panic!("{violation}");
    }
});
