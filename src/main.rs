//! Parse, start, exit code: nothing else.

fn main() -> std::process::ExitCode {
    refleet::cli::main()
}
