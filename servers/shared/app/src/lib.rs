//! What is served: routes, operations, bodies and the answers that a client must get.
//!
//! Every server of this project serves exactly this application, so that the architecture is the only
//! thing that differs between two rows; the harness and the conformance suite use the same crate to know
//! the right answer to a request without asking a server.
//!
//! What it refuses to know: sockets, clocks, threads, async, and any HTTP library's types. A method and a
//! target come in as `&str`; bodies go out as bytes. Where an operation runs, and how a delay is waited
//! out, is what an architecture decides. Only a fault that a test asks for ([`Fault`]) does something to the thread or process that
//! runs it.
//!
//! ```
//! let request = app::route("GET", "/complex", Some("iterations=10")).unwrap();
//! let app::Request::Operation(operation) = request else { unreachable!() };
//! assert_eq!(
//!     operation.run().body("example", "t0"),
//!     br#"{"origin":"example","worker":"t0","payload":45}"#
//! );
//! ```

mod answer;
mod description;
mod endpoint;
mod expect;
mod fault;
mod json;
mod method;
mod operation;
mod precondition;
mod query;
mod randoms;
mod rejection;
mod route;
mod sum;

pub use answer::Answer;
pub use description::{Info, OPENAPI, Place, Process, Processors, index_body};
pub use endpoint::{Endpoint, Parameter};
pub use expect::Expectation;
pub use fault::{Fault, Faults};
pub use method::{ALLOW_ANY, Method};
pub use operation::{Operation, Part, Partial};
pub use precondition::check_preconditions;
pub use randoms::Frequencies;
pub use rejection::{Expected, Rejection};
pub use route::{Request, route, route_with};
