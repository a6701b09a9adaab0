//! The place of the tables in a page that holds other text as well.

/// What begins the tables.
const BEGIN: &str = "<!-- generators: made by `just bench-generator --markdown METHODOLOGY.md` -->";
/// What ends them.
const END: &str = "<!-- end of generators -->";

/// A page without markers.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no place for the tables between the lines {BEGIN} and {END}: add them, or name a new file")]
pub(super) struct NoPlace;

/// A page that holds nothing but the place for the tables.
pub(super) fn empty() -> String {
    format!("{BEGIN}\n{END}\n")
}

/// Whether a page has a place for the tables.
///
/// # Errors
/// It has none.
pub(super) fn check(page: &str) -> Result<(), NoPlace> {
    around(page).map(|_| ())
}

/// `page` with `tables` in their place.
///
/// # Errors
/// The page has no place for them.
pub(super) fn with_tables(page: &str, tables: &str) -> Result<String, NoPlace> {
    let (before, after) = around(page)?;
    Ok(format!("{before}{BEGIN}\n\n{tables}\n{END}{after}"))
}

fn around(page: &str) -> Result<(&str, &str), NoPlace> {
    let (before, rest) = page.split_once(BEGIN).ok_or(NoPlace)?;
    Ok((before, rest.split_once(END).ok_or(NoPlace)?.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_replace_what_is_between_the_markers_and_nothing_else() {
        let page = format!("# Title\n\n{BEGIN}\nold\n{END}\n\nThe rest.\n");
        let placed = with_tables(&page, "| new |").unwrap();
        assert!(placed.starts_with("# Title\n\n") && placed.ends_with("\n\nThe rest.\n"), "{placed}");
        assert!(!placed.contains("old\n") && placed.contains("| new |"), "{placed}");
        assert_eq!(with_tables(&placed, "| new |").unwrap(), placed);
        assert_eq!(with_tables("# No place\n", "| new |"), Err(NoPlace));
        check(&empty()).unwrap();
        check(include_str!("../../../../METHODOLOGY.md")).unwrap();
    }
}
