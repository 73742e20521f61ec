//! The command `wasi-mmap`.

fn main() -> std::process::ExitCode {
    wasi_mmap_cli::main()
}
