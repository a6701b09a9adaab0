//! A command within a sentence of a page.

/// A text as code, whatever is in it: one more backtick around it than it has in a row (CommonMark, "Code spans").
pub fn code_span(text: &str) -> String {
    let longest = text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let blank = if longest > 0 { " " } else { "" };
    format!("{fence}{blank}{text}{blank}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backticks_of_a_command_end_no_code() {
        assert_eq!(code_span("cargo bench-all --only a,b"), "`cargo bench-all --only a,b`");
        assert_eq!(code_span("harness load '`x`'"), "`` harness load '`x`' ``");
        assert_eq!(code_span("`` ` ```"), "```` `` ` ``` ````");
    }
}
