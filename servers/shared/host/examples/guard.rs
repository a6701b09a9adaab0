//! The smallest program that offers a guard: `guard PROGRAM [ARGUMENT...]`, with a pipe as stdin.

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let program =
        arguments.next().ok_or_else(|| std::io::Error::other("usage: guard PROGRAM [ARGUMENT...]"))?;
    host::guard::run(program, arguments.collect())
}
