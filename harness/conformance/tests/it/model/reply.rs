//! What is answered, and how it is written.

use std::io::{self, Write};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use app::{Info, Operation, Processors, Rejection, Request};

use super::connection::{Connection, Head};
use super::{Fault, preconditions};

/// The body of what is refused before it is routed.
pub(super) const REFUSED: &str = "{\"error\":\"refused\"}";

pub(super) struct Reply {
    status: u16,
    content_type: Option<String>,
    allow: Option<&'static str>,
    body: Vec<u8>,
}

pub(super) fn reply(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Reply {
    Reply { status, content_type: Some(content_type.to_owned()), allow: None, body: body.into() }
}

impl Connection {
    pub(super) fn reply_to(&self, head: &Head, body: Vec<u8>) -> Reply {
        let decoded = head.target.replace("%73", "s").replace("//", "/");
        let target: &str = if self.fault == Fault::DecodesPaths { &decoded } else { &head.target };
        if self.fault == Fault::SwitchesProtocols && head.all("upgrade").count() > 0 {
            return Reply { status: 101, content_type: None, allow: None, body: Vec::new() };
        }
        if self.fault == Fault::OpensTunnels && head.method == "CONNECT" {
            return reply(200, "text/plain", "");
        }
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let method = match head.method.as_str() {
            "BREW" | "get" if self.fault == Fault::KnowsAnyMethod => "GET",
            method => method,
        };
        let routed = match app::route(method, path, query) {
            Err(Rejection::BadParameter { .. }) if self.fault == Fault::TakesAnyParameter => {
                Ok(Request::Operation(Operation::Simple))
            }
            routed => routed,
        };
        let routed = match preconditions::unmet(head, self.fault) {
            Some(status) if routed.is_ok() || self.fault == Fault::ChecksPreconditionsFirst => {
                return match status {
                    304 => Reply { status, content_type: None, allow: None, body: Vec::new() },
                    status => reply(status, "application/json", "{\"error\":\"precondition\"}"),
                };
            }
            _ => routed,
        };
        match routed {
            Ok(Request::Operation(operation)) => self.result_of(operation),
            Ok(Request::Index) => reply(200, "application/json", app::index_body()),
            Ok(Request::Echo) if method == "POST" => {
                let given = head.all("content-type").next().unwrap_or("application/octet-stream");
                let body = match self.fault {
                    Fault::CutsLongBodies => body[..body.len().min(4096)].to_vec(),
                    _ => body,
                };
                let content_type = Some(given.to_owned()).filter(|_| self.fault != Fault::EchoesWithoutType);
                Reply { status: 200, content_type, allow: None, body }
            }
            Ok(Request::Echo) => {
                let lines: String =
                    head.fields.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
                reply(200, "text/plain", lines)
            }
            Ok(Request::OpenApi) => reply(200, "application/yaml", app::OPENAPI),
            Ok(Request::Info) => reply(200, "application/json", info().body()),
            Ok(Request::Healthz) => reply(200, "text/plain", "ok"),
            Ok(Request::Metrics) => {
                let count = self.simple_requests.load(Ordering::SeqCst);
                let sample =
                    format!("# TYPE requests_total counter\nrequests_total{{endpoint=\"simple\"}} {count}\n");
                reply(200, "text/plain; version=0.0.4", sample)
            }
            Ok(Request::Options { allow }) => {
                Reply { status: 204, content_type: None, allow: Some(allow), body: Vec::new() }
            }
            Err(rejection) => {
                let allow = rejection.allow().filter(|_| self.fault != Fault::OmitsAllow);
                Reply { allow, ..reply(rejection.status(), "application/json", rejection.body()) }
            }
        }
    }

    fn result_of(&self, operation: Operation) -> Reply {
        if operation == Operation::Simple && self.fault != Fault::CountsNothing {
            self.simple_requests.fetch_add(1, Ordering::SeqCst);
        }
        if let Operation::Delay { milliseconds } = operation {
            thread::sleep(Duration::from_millis(milliseconds));
        }
        let answer = match (self.fault, operation, operation.run()) {
            (Fault::AddsOneToSums, _, app::Answer::Payload(sum)) => app::Answer::Payload(sum + 1),
            (Fault::IgnoresSeeds, Operation::Randoms { count, .. }, _) => {
                Operation::Randoms { count, seed: 0 }.run()
            }
            (_, _, answer) => answer,
        };
        let worker = if self.fault == Fault::OmitsWorker { "" } else { "t0" };
        reply(200, "application/json", answer.body("model", worker))
    }

    pub(super) fn write(
        &mut self,
        reply: &Reply,
        minor_version: u8,
        to_head: bool,
        keep: bool,
    ) -> io::Result<()> {
        let Reply { status, content_type, allow, body } = reply;
        let body: &[u8] = match self.fault {
            Fault::OmitsExplanations if *status >= 400 => b"",
            Fault::WordsErrorsOtherwise if *status >= 400 => b"{\"error\":\"no\"}",
            Fault::SendsBodyWith304 if *status == 304 => b"not modified",
            _ => body,
        };
        let mut fields = Vec::new();
        match self.fault {
            Fault::OmitsDate => {}
            Fault::OmitsDateOfRefusals if body == REFUSED.as_bytes() => {}
            Fault::WritesDatesOtherwise => fields.push("Date: 2026-01-01 00:00:00".to_owned()),
            _ => fields.push("Date: Thu, 01 Jan 2026 00:00:00 GMT".to_owned()),
        }
        if let Some(content_type) = content_type {
            fields.push(format!("Content-Type: {content_type}"));
        }
        if let Some(allow) = allow {
            fields.push(format!("Allow: {allow}"));
        }
        if *status >= 200 && *status != 204 && (*status != 304 || self.fault == Fault::GivesLengthWith304) {
            fields.push(format!("Content-Length: {}", body.len()));
        }
        match (keep, minor_version) {
            (false, _) if self.fault == Fault::OmitsAnnouncements => {}
            (false, _) => fields.push("Connection: close".to_owned()),
            (true, 0) => fields.push("Connection: keep-alive".to_owned()),
            (true, _) => {}
        }
        match self.fault {
            Fault::OrdersHeadersOtherwise => fields.reverse(),
            Fault::WritesHeadersOtherwise => {
                for field in &mut fields {
                    field.replace_range(..1, &field[..1].to_ascii_lowercase());
                }
            }
            _ => {}
        }
        let minor = if self.fault == Fault::AnswersHttp10InItsVersion { minor_version } else { 1 };
        let head = format!("HTTP/1.{minor} {status} Status\r\n{}\r\n", fields.join("\r\n"));
        let mut bytes = (head + "\r\n").into_bytes();
        if !to_head || self.fault == Fault::SendsBodyToHead {
            bytes.extend_from_slice(body);
        }
        if self.fault == Fault::GivesTruncatedAnswers {
            bytes.pop();
            self.stream.write_all(&bytes)?;
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.stream.write_all(&bytes)
    }
}

fn info() -> Info {
    Info {
        origin: "model".to_owned(),
        version: "0".to_owned(),
        pid: std::process::id(),
        worker: "t0".to_owned(),
        workers: 1,
        processors: Processors { present: 1, allowed: 1 },
        rss_bytes: 1,
        uptime_seconds: 0,
        arguments: Vec::new(),
        cluster: None,
    }
}
