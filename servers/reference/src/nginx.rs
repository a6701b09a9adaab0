//! nginx's configuration, as text.
//!
//! What the exercise's has, with all files in one folder, and with what the measurement needs said explicitly. Everything
//! else stays at nginx's defaults, which are part of what nginx is here.

use std::{
    fmt::{self, Write},
    net::SocketAddr,
};

use clap::ValueEnum;
use kit::args::Limits;

/// How nginx spreads requests over instances. Each worker process of nginx keeps its own account: there is no `zone`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Balance {
    /// In turn: nginx's default.
    RoundRobin,
    /// To the instance with the fewest requests under way.
    LeastConn,
    /// By the first three octets of the client's IPv4 address. On loopback all clients are one, so that one instance gets
    /// everything.
    IpHash,
}

/// Instances behind one name.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// What it is called in the configuration.
    pub name: &'static str,
    /// How requests are spread over the instances.
    pub balance: Balance,
    /// Where the instances listen.
    pub instances: Vec<SocketAddr>,
}

/// What nginx answers.
#[derive(Clone, Debug)]
pub enum Site {
    /// This JSON to every request, from nginx itself. It must not contain a single quote.
    Constant(String),
    /// What the instances behind it answer: the first upstream all that no other takes, each other one a path.
    Proxy {
        /// Where requests go that have no path of their own below.
        to: Upstream,
        /// Exact paths, and where they go instead.
        split: Vec<(&'static str, Upstream)>,
    },
}

/// A whole configuration; `Display` is the file.
#[derive(Clone, Debug)]
pub struct Configuration<'a> {
    /// Where nginx listens.
    pub listen: SocketAddr,
    /// How many worker processes there are.
    pub workers: usize,
    /// Timeouts and sizes, as this project's servers have them.
    pub limits: &'a Limits,
    /// What is served.
    pub site: Site,
}

/// Idle connections that each worker process of nginx keeps to an upstream: more than a load generator has, so that no
/// request of a closed loop pays for a new connection.
pub const UPSTREAM_KEEPALIVE: usize = 512;
/// Connections of each worker process, those to the instances included; each takes some 400 bytes at the start.
const WORKER_CONNECTIONS: usize = 16_384;
/// Beyond what any run sends over one connection.
const KEEPALIVE_REQUESTS: usize = 1_000_000_000;
/// A delay may take 60 s, which is also nginx's default here.
const PROXY_READ_TIMEOUT_S: usize = 90;

impl fmt::Display for Configuration<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Limits { max_body_bytes, header_timeout, body_timeout, idle_timeout, drain_timeout, .. } =
            self.limits;
        writeln!(f, "daemon off;\npid nginx.pid;\nerror_log stderr warn;")?;
        writeln!(f, "worker_processes {};", self.workers)?;
        writeln!(f, "worker_shutdown_timeout {}ms;", drain_timeout.as_millis())?;
        writeln!(f, "events {{\n  worker_connections {WORKER_CONNECTIONS};\n}}")?;
        writeln!(f, "http {{\n  access_log off;\n  default_type application/json;")?;
        for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            writeln!(f, "  {kind}_temp_path {kind};")?;
        }
        writeln!(f, "  client_max_body_size {max_body_bytes};")?;
        writeln!(f, "  client_header_timeout {}ms;", header_timeout.as_millis())?;
        writeln!(f, "  client_body_timeout {}ms;", body_timeout.as_millis())?;
        writeln!(f, "  keepalive_timeout {}ms;", idle_timeout.as_millis())?;
        writeln!(f, "  keepalive_requests {KEEPALIVE_REQUESTS};")?;

        let mut locations = String::new();
        match &self.site {
            Site::Constant(body) => {
                writeln!(locations, "    location / {{\n      return 200 '{body}';\n    }}")?;
            }
            Site::Proxy { to, split } => {
                to.fmt(f)?;
                to.location(&mut locations, "/")?;
                for (path, upstream) in split {
                    upstream.fmt(f)?;
                    upstream.location(&mut locations, &format!("= {path}"))?;
                }
            }
        }
        let backlog = kit::listen::BACKLOG;
        writeln!(f, "  server {{\n    listen {} backlog={backlog};\n{locations}  }}\n}}", self.listen)
    }
}

impl Upstream {
    fn location(&self, out: &mut String, path: &str) -> fmt::Result {
        writeln!(out, "    location {path} {{\n      proxy_pass http://{};", self.name)?;
        // Both for the connections to the instances to be kept alive; the client's name for the server is passed on.
        writeln!(out, "      proxy_http_version 1.1;\n      proxy_set_header Connection \"\";")?;
        writeln!(out, "      proxy_set_header Host $host;")?;
        writeln!(out, "      proxy_read_timeout {PROXY_READ_TIMEOUT_S}s;\n    }}")
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  upstream {} {{", self.name)?;
        match self.balance {
            Balance::RoundRobin => {}
            Balance::LeastConn => writeln!(f, "    least_conn;")?,
            Balance::IpHash => writeln!(f, "    ip_hash;")?,
        }
        for instance in &self.instances {
            writeln!(f, "    server {instance};")?;
        }
        // After the rule, which it would otherwise replace.
        writeln!(f, "    keepalive {UPSTREAM_KEEPALIVE};\n    keepalive_requests {KEEPALIVE_REQUESTS};\n  }}")
    }
}
