//! What stands below the arguments of `load`.

/// What follows the arguments in the help page.
pub(super) const LOAD_EXAMPLES: &str = "\
Examples:
  harness load http://127.0.0.1:8080/simple                   closed loop: as fast as it answers
  harness load 127.0.0.1:8080/simple --rate 2000 --poisson    open loop: 2,000 users a second
  harness load 127.0.0.1:8080 -q 500 --mix 'simple=0.8,complex?iterations=1e6=0.2'
  harness load 127.0.0.1:8080/echo -d @body.json -H 'content-type: application/json' -z 30s
  harness load 127.0.0.1:8080/simple -q 1000 --cpus 1 --spin --export-json result.json
  srun -n 3 harness load server:8080/simple -q 3000 --poisson --gather /shared/new

In a closed loop each connection waits for its answer before it asks again, so that a stalled
server is asked less: its response times say nothing of what users would have met. With --rate,
requests are due whether the server keeps up or not, and response times count from the due time.

Answers of this project's own endpoints are checked against the right answer, and numbers in
their queries are written out (1e6 is sent as 1000000); elsewhere any status of class 2xx is
right. Otherwise paths and queries are sent as given, /a/../b and ?q='x' too; what a request line
cannot hold, such as a blank, is percent-encoded, and that is said. Redirects are not followed and
proxies not asked: only the host of the URL is contacted. TLS is not supported.

Exit codes:
  0    measured; warnings say what is wrong with the measurement, or with the server
  1    nothing was answered rightly, an answer had the wrong content, the server or a file could
       not be reached (or in the end no longer), this machine ran out of ports or descriptors, or
       another part of the load failed or was not to be seen
  2    the command line is wrong
  3    measured, and what was printed did not all arrive; files are written all the same
  130  interrupted; what was measured until then is shown";
