//! libFuzzer's way into [`properties::events`], without a stop of the server and with one.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let holds = properties::events::check(input).and_then(|()| properties::events::stopped::check(input));
    if let Err(violation) = holds {
        panic!("{violation}");
    }
});
