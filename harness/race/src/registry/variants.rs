//! Rows that differ from another in how many workers they have, and in nothing else.

use super::{
    placeholders::fill,
    row::Row,
    sizing::{Sizing, Variant},
};

impl Row {
    /// The same row told to have so many workers: another row by name, of the same program. It is verified and calibrated as this one.
    ///
    /// # Errors
    /// Why it cannot be told.
    pub fn with_workers(&self, workers: usize) -> Result<Self, String> {
        let args = match &self.sized {
            None => return Err("the registry does not say how it is told its number of workers".to_owned()),
            Some(Sizing::None(reason)) => return Err(reason.clone()),
            Some(Sizing::Args(args)) => args,
        };
        let number = |name: &str| (name == "workers").then(|| workers.to_string());
        let more = args.iter().map(|arg| fill(arg, number));
        let plural = if workers == 1 { "worker" } else { "workers" };
        Ok(Self {
            name: format!("{}-w{workers}", self.name),
            about: format!("{}, with {workers} {plural}", self.name),
            args: self.args.iter().cloned().chain(more).collect(),
            variant: Some(Variant { of: self.name.clone(), workers }),
            ..self.clone()
        })
    }

    /// How the row is called whose program and promises this one has: its own name, but for a variant.
    pub fn origin(&self) -> &str {
        self.variant.as_ref().map_or(&self.name, |variant| &variant.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(sized: Option<Sizing>) -> Row {
        Row { sized, ..Row::given("a".to_owned(), vec!["./a".to_owned()]) }
    }

    #[test]
    fn a_row_of_so_many_workers_is_told_so_behind_its_own_arguments() {
        let args = ["--workers", "{workers}"].map(str::to_owned).to_vec();
        let mut row = row(Some(Sizing::Args(args)));
        row.args = vec!["--io".to_owned()];
        let two = row.with_workers(2).unwrap();
        assert_eq!((two.name.as_str(), two.origin(), row.origin()), ("a-w2", "a", "a"));
        assert_eq!(two.args, ["--io", "--workers", "2"]);
    }

    #[test]
    fn a_row_that_cannot_be_told_says_why() {
        assert!(row(None).with_workers(2).unwrap_err().contains("does not say how"));
        let none = Sizing::None("one event loop".to_owned());
        assert_eq!(row(Some(none)).with_workers(2).unwrap_err(), "one event loop");
        assert!(Sizing::None(" ".to_owned()).check().unwrap_err().contains("does not say why"));
        assert!(
            Sizing::Args(vec!["-w".to_owned()]).check().unwrap_err().contains("in none of its arguments")
        );
    }
}
