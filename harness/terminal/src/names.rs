//! Choosing things by name, and what to say about a name that nothing has.

/// A name that is not known, with the known ones and the nearest of them.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no {kind} `{name}`{}; known: {}", .nearest.as_ref().map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default(), .known.join(", "))]
pub struct Unknown {
    kind: &'static str,
    name: String,
    nearest: Option<String>,
    known: Vec<String>,
}

/// Names less alike than this (Jaro-Winkler, 0 to 1) are not offered as what may have been meant.
const ALIKE: f64 = 0.75;

/// The items that `names` ask for, in the order of `items`; all of them if `names` is empty.
///
/// # Errors
/// The first name that no item has.
pub fn select<T: Clone>(
    kind: &'static str,
    items: &[T],
    name_of: impl Fn(&T) -> &String,
    names: &[String],
) -> Result<Vec<T>, Unknown> {
    for name in names {
        if !items.iter().any(|item| name_of(item) == name) {
            let known: Vec<String> = items.iter().map(|item| name_of(item).clone()).collect();
            let nearest = nearest(known.iter().map(String::as_str), name).map(str::to_owned);
            return Err(Unknown { kind, name: name.clone(), nearest, known });
        }
    }
    let wanted = |item: &&T| names.is_empty() || names.contains(name_of(item));
    Ok(items.iter().filter(wanted).cloned().collect())
}

/// What may have been meant by `name`.
pub fn nearest<'a>(known: impl Iterator<Item = &'a str>, name: &str) -> Option<&'a str> {
    known
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<String> {
        ["fork-per-core", "thread-per-core", "work-stealing"].map(str::to_owned).to_vec()
    }

    fn ask(names: &[&str]) -> Result<Vec<String>, String> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        select("row", &rows(), |row| row, &names).map_err(|unknown| unknown.to_string())
    }

    #[test]
    fn no_name_means_everything_and_names_keep_the_order_of_the_items() {
        assert_eq!(ask(&[]).unwrap(), rows());
        assert_eq!(ask(&["work-stealing", "fork-per-core"]).unwrap(), ["fork-per-core", "work-stealing"]);
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest_and_all_known_ones() {
        assert_eq!(
            ask(&["work-staeling"]).unwrap_err(),
            "there is no row `work-staeling` (did you mean `work-stealing`?); \
             known: fork-per-core, thread-per-core, work-stealing"
        );
        assert_eq!(
            ask(&["xyz"]).unwrap_err(),
            "there is no row `xyz`; known: fork-per-core, thread-per-core, work-stealing"
        );
    }
}
