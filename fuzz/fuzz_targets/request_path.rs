//! libFuzzer's way into [`properties::request_path`].

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Err(violation) = properties::request_path::check(input) {
        panic!("{violation}");
    }
});
