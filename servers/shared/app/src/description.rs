//! Bodies in which a server describes itself: the index of endpoints, `/openapi.yaml` and `/info`.
//!
//! The values come from whoever knows the machine; this module only says what they are called.

use serde::Serialize;

use crate::endpoint::{Endpoint, Parameter};
use crate::json::json;

/// The body of `/openapi.yaml`, to be sent as `application/yaml` (RFC 9512): an OpenAPI 3.1 description of every
/// endpoint. It is written by hand, and `tests/it/openapi.rs` holds it to the table of endpoints and to real answers.
pub const OPENAPI: &str = include_str!("../openapi.yaml");

/// The body of `/info`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Info {
    /// The server's name.
    pub origin: String,
    /// Its version.
    pub version: String,
    /// The process that answers.
    pub pid: u32,
    /// The worker that answers.
    pub worker: String,
    /// How many workers the whole server has.
    pub workers: usize,
    /// The machine's processors.
    pub processors: Processors,
    /// Resident memory of the process that answers, in bytes; 0 where it cannot be read.
    pub rss_bytes: u64,
    /// Time since the process that answers was started, in seconds.
    pub uptime_seconds: u64,
    /// The command line without the program's own name.
    pub arguments: Vec<String>,
    /// All workers of a server that has a process for each; elsewhere left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Vec<Place>>,
}

/// The place of one worker process after another. Counts are of all processes that ever were in it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Place {
    /// Its name: `p0`, `p1`.
    pub place: String,
    /// `empty`, `starting`, `ready`, `draining`, `backing_off` or `failed`.
    pub state: String,
    /// The process in it, if there is one.
    #[serde(flatten)]
    pub process: Option<Process>,
    /// During a reload: the process that is to take over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successor: Option<Process>,
    /// How often a process was started in the place of one that had ended by itself.
    pub restarts: u64,
    /// Answers.
    pub requests: u64,
    /// Connections that are open.
    pub connections_open: u64,
    /// Connections that were accepted.
    pub connections_accepted: u64,
    /// Operations begun and not ended.
    pub operations_in_flight: u64,
}

/// A worker's process. What cannot be read of it is left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// User and system time, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<f64>,
    /// Resident memory, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rss_bytes: Option<u64>,
    /// Time since it was started, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime_seconds: Option<u64>,
}

/// Processors of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Processors {
    /// How many are on line.
    pub present: usize,
    /// How many of these the process may use.
    pub allowed: usize,
}

impl Info {
    /// The JSON body, keys in the order of the fields.
    pub fn body(&self) -> Vec<u8> {
        json(self)
    }
}

/// The JSON body of `/`: `{"endpoints":[{"name","paths","methods","does","parameters","example"}]}`.
pub fn index_body() -> Vec<u8> {
    #[derive(Serialize)]
    struct Index {
        endpoints: [Entry; Endpoint::ALL.len()],
    }
    #[derive(Serialize)]
    struct Entry {
        name: &'static str,
        paths: &'static [&'static str],
        methods: &'static str,
        does: &'static str,
        parameters: &'static [Parameter],
        example: &'static str,
    }

    let entry = |endpoint: Endpoint| Entry {
        name: endpoint.name(),
        paths: endpoint.paths(),
        methods: endpoint.allow(),
        does: endpoint.summary(),
        parameters: endpoint.parameters(),
        example: endpoint.example(),
    };
    json(&Index { endpoints: Endpoint::ALL.map(entry) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_lists_every_endpoint_with_an_example() {
        let index: serde_json::Value = serde_json::from_slice(&index_body()).unwrap();
        let endpoints = index["endpoints"].as_array().unwrap();
        assert_eq!(endpoints.len(), Endpoint::ALL.len());
        for (entry, endpoint) in endpoints.iter().zip(Endpoint::ALL) {
            assert_eq!(entry["name"], endpoint.name());
            assert_eq!(entry["paths"][0], endpoint.paths()[0]);
            assert!(entry["example"].as_str().unwrap().starts_with(endpoint.paths()[0]));
        }
        assert_eq!(endpoints[2]["parameters"][0]["maximum"], 5_000_000_000_u64);
        assert_eq!(endpoints[4]["parameters"][0]["default"], serde_json::Value::Null);
    }

    #[test]
    fn info_uses_the_names_of_the_contract() {
        let mut info = Info {
            origin: "o".to_owned(),
            version: "0.1.0".to_owned(),
            pid: 7,
            worker: "t0".to_owned(),
            workers: 2,
            processors: Processors { present: 4, allowed: 2 },
            rss_bytes: 1024,
            uptime_seconds: 5,
            arguments: vec!["--workers".to_owned(), "2".to_owned()],
            cluster: None,
        };
        let text = |info: &Info| String::from_utf8(info.body()).unwrap();
        let alone = r#"{"origin":"o","version":"0.1.0","pid":7,"worker":"t0","workers":2,"processors":{"present":4,"allowed":2},"rss_bytes":1024,"uptime_seconds":5,"arguments":["--workers","2"]}"#;
        assert_eq!(text(&info), alone);

        let process = |pid, seen: bool| Process {
            pid,
            cpu_seconds: seen.then_some(1.25),
            rss_bytes: seen.then_some(2048),
            uptime_seconds: seen.then_some(9),
        };
        let counts = Place {
            place: "p1".to_owned(),
            state: "failed".to_owned(),
            process: None,
            successor: None,
            restarts: 1,
            requests: 2,
            connections_open: 3,
            connections_accepted: 4,
            operations_in_flight: 5,
        };
        let reloading = Place {
            place: "p0".to_owned(),
            state: "starting".to_owned(),
            process: Some(process(7, true)),
            successor: Some(process(8, false)),
            ..counts.clone()
        };
        info.cluster = Some(vec![reloading, counts]);
        let rest = r#""restarts":1,"requests":2,"connections_open":3,"connections_accepted":4,"operations_in_flight":5}"#;
        let reloading = r#"{"place":"p0","state":"starting","pid":7,"cpu_seconds":1.25,"rss_bytes":2048,"uptime_seconds":9,"successor":{"pid":8},"#;
        let failed = r#"{"place":"p1","state":"failed","#;
        let listed = format!(r#","cluster":[{reloading}{rest},{failed}{rest}]}}"#);
        assert_eq!(text(&info), alone.strip_suffix('}').unwrap().to_owned() + &listed);
    }
}
