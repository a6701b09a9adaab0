//! What an operation gave, and its bytes on the wire.

use serde::Serialize;

use crate::json::json;
use crate::randoms::Frequencies;

/// The answer to an [`crate::Operation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// One number: a sum, or how long was waited in milliseconds.
    Payload(u64),
    /// The counts of random draws, with the parameters that reproduce them.
    Randoms {
        /// How many numbers were drawn.
        count: u32,
        /// Where the generator started.
        seed: u32,
        /// How often each number came.
        frequencies: Frequencies,
    },
}

impl Answer {
    /// The JSON body: `{"origin","worker","payload"}` or `{"origin","worker","count","seed","frequencies"}`,
    /// keys in this order, without blanks.
    ///
    /// `origin` is the server's name; `worker` names the executor of the operation: `p0` a process, `t1` a
    /// thread, `r0` a rayon thread, `b0` a thread of tokio's blocking pool.
    pub fn body(&self, origin: &str, worker: &str) -> Vec<u8> {
        #[derive(Serialize)]
        struct Payload<'a> {
            origin: &'a str,
            worker: &'a str,
            payload: u64,
        }
        #[derive(Serialize)]
        struct Randoms<'a> {
            origin: &'a str,
            worker: &'a str,
            count: u32,
            seed: u32,
            frequencies: &'a Frequencies,
        }

        match *self {
            Self::Payload(payload) => json(&Payload { origin, worker, payload }),
            Self::Randoms { count, seed, ref frequencies } => {
                json(&Randoms { origin, worker, count, seed, frequencies })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Operation;

    #[test]
    fn bodies_have_the_keys_of_the_contract_in_its_order() {
        let body = |operation: Operation| String::from_utf8(operation.run().body("o", "t1")).unwrap();
        assert_eq!(body(Operation::Simple), r#"{"origin":"o","worker":"t1","payload":499500}"#);
        assert_eq!(
            body(Operation::Randoms { count: 2, seed: 7 }),
            r#"{"origin":"o","worker":"t1","count":2,"seed":7,"frequencies":{"533":1,"691":1}}"#
        );
    }

    #[test]
    fn names_are_escaped() {
        let body = Answer::Payload(1).body("a\"b", "\n");
        assert_eq!(body, br#"{"origin":"a\"b","worker":"\n","payload":1}"#);
    }
}
