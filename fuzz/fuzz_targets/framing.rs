//! libFuzzer's way into [`properties::framing`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Err(violation) = properties::framing::check(input) {
        panic!("{violation}");
    }
});
