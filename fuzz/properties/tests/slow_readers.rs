//! Answers that were once cut short for a client that takes few bytes at a time.

use properties::{
    connection::{Frugal, Script, play},
    delivery::Delivery,
    request_path, requests,
};

/// Judges a client that takes sixteen bytes a write.
fn judge(bytes: &[u8]) -> Result<(), String> {
    let sixteen_bytes_a_write = 1 << 2;
    let script = Script::of(Delivery { flags: sixteen_bytes_a_write, cuts: &[], bytes });
    assert!(script.room.is_some());
    let played = play(Frugal, script).map_err(|violation| violation.0)?;
    request_path::judge(&requests::read(bytes), script, &played).map(drop).map_err(|violation| violation.0)
}

#[test]
fn the_last_answer_after_an_upgrade_field_is_written_to_its_end() {
    // hyper would hand such a connection over rather than wait until it is written.
    assert_eq!(
        judge(b"POST /echo HTTP/1.1\r\nHost: a\r\nHost: b\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\n"),
        Ok(())
    );
    assert_eq!(
        judge(b"GET /simple HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: close\r\n\r\n"),
        Ok(())
    );
}

#[test]
fn the_answer_to_the_preface_of_http_2_is_written_to_its_end() {
    assert_eq!(judge(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Ok(()));
}
