//! What tells one gathering from another.

use std::{fs::File, io::Read as _};

/// 128 bits that nobody drew before, in hexadecimal.
///
/// # Errors
/// The kernel's source cannot be read.
pub(super) fn draw() -> std::io::Result<String> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_the_same() {
        let (one, other) = (draw().unwrap(), draw().unwrap());
        assert!(one.len() == 32 && one != other, "{one} {other}");
    }
}
