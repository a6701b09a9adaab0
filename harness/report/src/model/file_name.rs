//! Names as names of files.

/// `name` as the name of a file, without its extension, on any system: what is neither a letter of ASCII, a digit nor one of `-_.` is
/// written as its bytes in hexadecimal after `%`, and so is a leading dot. Two names give two files, unless the system shortens them: more
/// than 120 bytes end in a number that stands for the rest.
pub fn file_name(name: &str) -> String {
    const LONGEST: usize = 120;
    let mut out = String::new();
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            b'.' if at == 0 => out.push_str("%2e"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02x}")),
        }
    }
    if out.len() <= LONGEST {
        return out;
    }
    // FNV-1a (Fowler, Noll and Vo), which tells names apart that nobody made to collide.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    out.truncate(LONGEST - 17);
    format!("{out}-{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_a_path_and_two_are_never_one_file() {
        assert_eq!(file_name("mixed.work-stealing"), "mixed.work-stealing");
        assert_eq!(file_name("../../etc"), "%2e.%2f..%2fetc");
        assert_eq!(file_name("a b/c%"), "a%20b%2fc%25");
        let long = |end: char| file_name(&format!("{}{end}", "x".repeat(300)));
        assert_ne!(long('a'), long('b'));
        assert!(long('a').len() <= 120);
    }
}
