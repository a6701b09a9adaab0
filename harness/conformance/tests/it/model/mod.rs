//! A small server that does everything right, on blocking sockets with a thread per connection, except for
//! the one fault that it is asked to have.

mod connection;
mod framing;
mod preconditions;
mod reply;
mod strict;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::Duration;

use connection::Connection;

/// What the server does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Nothing,
    AddsOneToSums,
    IgnoresSeeds,
    TakesAnyParameter,
    OmitsAllow,
    OmitsDate,
    OmitsDateOfRefusals,
    WritesDatesOtherwise,
    OmitsWorker,
    OmitsExplanations,
    OmitsAnnouncements,
    SendsBodyToHead,
    KnowsAnyMethod,
    ClosesAfterEachAnswer,
    ForgetsPipelinedBytes,
    ForgetsCutHeads,
    TakesNextForHead,
    NeverClosesOnRequest,
    ComparesWholeConnectionFields,
    KeepsHttp10Open,
    NeedsHostInHttp10,
    AnswersHttp10InItsVersion,
    RefusesLaterVersions,
    DropsPrefaces,
    TakesRubbish,
    TakesMissingHost,
    TakesRepeatedHost,
    TakesBadHosts,
    TakesBadTargets,
    DecodesPaths,
    OpensTunnels,
    SwitchesProtocols,
    TakesAnyExpectation,
    TakesBadLengths,
    CallsGreatLengthsLongHeads,
    TakesConflictingLengths,
    PrefersLengthToChunks,
    KeepsOpenAfterBothFramings,
    FindsChunkedAnywhere,
    IgnoresUnknownCodings,
    TakesBadChunks,
    TakesBadExtensions,
    TakesBadTrailers,
    TakesLineFeedsInChunks,
    CountsChunksInDecimal,
    HeedsTrailers,
    IgnoresTrailers,
    IgnoresPreconditions,
    ChecksPreconditionsFirst,
    MatchesAnyTag,
    LooksForStarsWithinTags,
    HasNoRepresentations,
    SendsBodyWith304,
    GivesLengthWith304,
    NeverContinues,
    ContinuesInHttp10,
    EchoesWithoutType,
    CutsLongBodies,
    HasNoBodyLimit,
    HasNoHeadLimit,
    RefusesLongHeadsAlike,
    HasNoTrailerLimit,
    HasNoHeaderTimeout,
    CountsNothing,
    RefusesWithServerErrors,
    RefusesSilently,
    StaysAfterRefusals,
    LeavesBodiesUnread,
    GivesTruncatedAnswers,
    TakesTheEndForALeave,
    AnswersWhatIsCut,
    OutlivesItsClient,
    OrdersHeadersOtherwise,
    WritesHeadersOtherwise,
    WordsErrorsOtherwise,
    SaysNothing,
}

pub(crate) const MAX_BODY: usize = 250_000;
pub(crate) const HEADER_TIMEOUT: Duration = Duration::from_secs(2);
const MAX_HEAD: usize = 16 * 1024;
/// A chunk's size line, all chunk extensions together, and all trailer fields together.
const MAX_LINE: usize = 16_000;
/// For reads that only a fault makes endless: the thread must not outlive its test for long.
const GIVE_UP: Duration = Duration::from_secs(20);

/// Starts a server on a free port. It serves until the test's process ends.
pub(crate) fn start(fault: Fault) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("the port that was taken");
    let simple_requests = Arc::new(AtomicU64::new(0));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = Connection::new(stream, fault, Arc::clone(&simple_requests));
            thread::spawn(move || connection.serve());
        }
    });
    address
}
