use std::{
    fs::{self, File},
    io::{Read as _, pipe},
    os::unix::net::UnixStream,
};

use rustix::{
    fs::fcntl_getfl,
    pipe::{fcntl_getpipe_size, fcntl_setpipe_size},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};

use super::*;

/// An outlet to `descriptor`, which lives as long as the test's process does.
fn outlet(descriptor: OwnedFd) -> Outlet {
    use std::os::fd::AsRawFd as _;
    let descriptor: &'static OwnedFd = Box::leak(Box::new(descriptor));
    let path = format!("/proc/self/fd/{}", descriptor.as_raw_fd());
    Outlet::of(descriptor.as_fd(), Box::leak(path.into_boxed_str()))
}

/// The same where it may not be opened again.
fn closed_to_us(descriptor: OwnedFd) -> Outlet {
    let outlet = outlet(descriptor);
    Outlet { path: "/nowhere", ..outlet }
}

/// Says lines until one is lost. Were one to wait, this would not return.
fn fill(outlet: &Outlet) -> u64 {
    for said in 0..1_000_000 {
        if let Err(error) = outlet.put(b"a line that is some forty bytes long, all in all\n") {
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock, "{error}");
            return said;
        }
    }
    panic!("nothing is ever full");
}

fn read_some(from: &mut impl io::Read) -> String {
    let mut buffer = vec![0; 1 << 20];
    let count = from.read(&mut buffer).unwrap();
    String::from_utf8(buffer[..count].to_vec()).unwrap()
}

#[test]
fn a_full_pipe_loses_lines_and_the_next_one_says_how_many() {
    for make in [outlet, closed_to_us] {
        let (mut reader, writer) = pipe().unwrap();
        fcntl_setpipe_size(&writer, 4096).unwrap();
        let outlet = make(writer.into());
        let said = fill(&outlet);
        assert!(said > 10, "{said}");
        outlet.say(format_args!("lost as well"));
        // All of it, for the pipe is no longer than that.
        let before = read_some(&mut reader);
        assert_eq!(before.lines().count() as u64, said);
        outlet.say(format_args!("heard"));
        outlet.say(format_args!("and again"));
        let after = read_some(&mut reader);
        assert_eq!(after, "2 lines were lost here, which nobody took in time\nheard\nand again\n");
    }
}

#[test]
fn the_descriptor_that_others_share_blocks_as_before() {
    let (_reader, writer) = pipe().unwrap();
    let shared = writer.try_clone().unwrap();
    let outlet = outlet(writer.into());
    fill(&outlet);
    assert!(!fcntl_getfl(&shared).unwrap().contains(OFlags::NONBLOCK));
}

#[test]
fn a_line_longer_than_a_pipe_takes_at_once_is_cut_and_the_next_begins_on_a_line_of_its_own() {
    let (mut reader, writer) = pipe().unwrap();
    fcntl_setpipe_size(&writer, PIPE_BUF).unwrap();
    let outlet = outlet(writer.into());
    let long = "x".repeat(2 * fcntl_getpipe_size(&reader).unwrap());
    assert!(outlet.put(format!("{long}\n").as_bytes()).is_err());
    let begun = read_some(&mut reader);
    assert!(!begun.is_empty() && begun.bytes().all(|byte| byte == b'x'));
    outlet.say(format_args!("whole"));
    assert_eq!(read_some(&mut reader), "\n1 line was lost here, which nobody took in time\nwhole\n");
}

#[test]
fn a_reader_that_is_gone_costs_the_lines_alone() {
    for make in [outlet, closed_to_us] {
        let (reader, writer) = pipe().unwrap();
        let outlet = make(writer.into());
        drop(reader);
        for _ in 0..3 {
            assert_eq!(outlet.put(b"x\n").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        }
        assert_eq!((&outlet).write(b"never an error\n").unwrap(), 15);
        assert_eq!(outlet.lost.load(Relaxed), 4);
    }
}

#[test]
fn a_socket_that_nobody_reads_loses_lines() {
    let (mut far, near) = UnixStream::pair().unwrap();
    let outlet = outlet(near.into());
    assert!(fill(&outlet) > 0);
    far.set_nonblocking(true).unwrap();
    while far.read(&mut [0; 1 << 16]).is_ok() {}
    outlet.say(format_args!("heard"));
    assert!(read_some(&mut far).ends_with("lost here, which nobody took in time\nheard\n"));
}

#[test]
fn a_terminal_that_nobody_reads_loses_lines() {
    for reopened in [true, false] {
        let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&user).unwrap();
        unlockpt(&user).unwrap();
        let name = ptsname(&user, Vec::new()).unwrap();
        let terminal = open(&name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
        let outlet = if reopened { outlet(terminal) } else { closed_to_us(terminal) };
        assert!(outlet.is_terminal());
        assert!(fill(&outlet) > 0);
        let mut user = File::from(user);
        // What was read makes room, a little later.
        while outlet.put(b"heard\n").is_err() {
            read_some(&mut user);
        }
        let mut rest = String::new();
        while !rest.ends_with("heard\r\n") {
            rest += &read_some(&mut user);
        }
        assert!(rest.ends_with("nobody took in time\r\nheard\r\n"), "{rest}");
    }
}

#[test]
fn a_device_that_is_full_loses_lines_and_a_file_gets_them_where_it_is_at() {
    let full = outlet(File::options().write(true).open("/dev/full").unwrap().into());
    assert_eq!(full.put(b"x\n").unwrap_err().kind(), io::ErrorKind::StorageFull);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    fs::write(&path, "before\n").unwrap();
    let file = outlet(File::options().append(true).open(&path).unwrap().into());
    file.say(format_args!("first"));
    file.say(format_args!("{}", "second".repeat(1_000)));
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("before\nfirst\n{}\n", "second".repeat(1_000)));
}

#[test]
fn lines_of_many_threads_are_whole_in_a_pipe() {
    let (reader, writer) = pipe().unwrap();
    let outlet = outlet(writer.into());
    let reading = std::thread::spawn(move || {
        let lines = io::BufRead::lines(io::BufReader::new(reader));
        let mut seen = 0;
        for line in lines {
            let line = line.unwrap();
            let is_whole = line.len() == 200 && line.bytes().all(|byte| byte == line.as_bytes()[0]);
            assert!(is_whole || line.ends_with("nobody took in time"), "{line}");
            seen += 1;
            if line.starts_with('z') {
                return seen;
            }
        }
        seen
    });
    std::thread::scope(|scope| {
        for letter in ["a", "b", "c"] {
            let outlet = &outlet;
            scope.spawn(move || (0..2_000).for_each(|_| outlet.say(format_args!("{}", letter.repeat(200)))));
        }
    });
    while outlet.put(format!("{}\n", "z".repeat(200)).as_bytes()).is_err() {
        std::thread::yield_now();
    }
    assert!(reading.join().unwrap() > 100);
}
