//! That what the properties pass over as known still happens. A test that fails here is good news: take the
//! exception out of `known`.

use properties::{
    connection::{Frugal, Script, play},
    delivery::Delivery,
    request_path, requests,
};

/// Judges a script with nothing passed over.
fn judge(flags: u8, bytes: &[u8]) -> Result<(), String> {
    let script = Script::of(Delivery { flags, cuts: &[], bytes });
    let played = play(Frugal, script).map_err(|violation| violation.0)?;
    request_path::judge(&requests::read(bytes), script, &played).map(drop).map_err(|violation| violation.0)
}

#[test]
fn the_last_answer_after_an_upgrade_field_is_cut_short_for_a_client_that_reads_slowly() {
    let refused = b"POST /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n";
    let sixteen_bytes_a_write = 1 << 2;
    let violation = judge(sixteen_bytes_a_write, refused).expect_err("hyper does not wait for the client");
    assert!(violation.contains("answer 0 is cut short"), "{violation}");
    assert_eq!(judge(0, refused), Ok(()), "whose client reads at once");
}

#[test]
fn the_answer_to_the_preface_of_http_2_is_cut_short_for_a_client_that_reads_slowly() {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let sixteen_bytes_a_write = 1 << 2;
    let violation = judge(sixteen_bytes_a_write, preface).expect_err("kit tries once");
    assert!(violation.contains("answer 0 is cut short"), "{violation}");
    assert_eq!(judge(0, preface), Ok(()), "whose client reads at once");
}
