//! Tries one operation and prints the outcome, for tests of permissions and of the host's limits.
//!
//! `probe map ACCESS OFFSET LENGTH FILE` maps a file, and prints the mapping's length or the error.
//! `probe widest RIGHTS FILE` maps a file of the first directory, open for `reading` or for `both`, with the widest
//! access, and prints that access.
//! `probe anonymous LENGTH COUNT` makes COUNT anonymous mappings, and prints how many there are when one is refused.
//! `probe leak FILE COUNT` maps a file and anonymous memory COUNT times, and drops none of the mappings.
//! `probe read LENGTH FILE` reads LENGTH bytes in one call, and prints how many of them are not 0.
//! `probe find FILE` searches a file for an absent needle.
//! `probe connect ADDRESS` connects by TCP.
//! `probe exit STATUS` exits; `probe trap` traps.

use std::process::ExitCode;

use wasi_mmap::bindings::wasi::filesystem::preopens::get_directories;
use wasi_mmap::bindings::wasi::filesystem::types::{DescriptorFlags, OpenFlags, PathFlags};
use wasi_mmap::{Access, Error, MapFlags, Mapping};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["map", access, offset, length, file] => map(access, number(offset), number(length), file),
        ["widest", rights, file] => widest(rights, file),
        ["anonymous", length, count] => anonymous(number(length), number(count)),
        ["leak", file, count] => leak(file, number(count)),
        ["read", length, file] => read(number(length), file),
        ["find", file] => find(file),
        ["connect", address] => connect(address),
        ["exit", status] => return ExitCode::from(u8::try_from(number(status)).expect("a status")),
        ["trap"] => panic!("as it was told"),
        _ => panic!("no such probe: {arguments:?}"),
    };
    match outcome {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("{}: {error}", error.name());
            ExitCode::FAILURE
        }
    }
}

fn number(text: &str) -> u64 {
    text.parse().expect("a number")
}

fn map(access: &str, offset: u64, length: u64, file: &str) -> Result<String, Error> {
    let access = match access {
        "read" => Access::Read,
        "write" => Access::Write,
        "copy" => Access::Copy,
        _ => panic!("no such access: {access}"),
    };
    let mut mapping = Mapping::options().access(access).offset(offset).length(length).open(file)?;
    let len = mapping.len()?;
    if access == Access::Write {
        mapping.set(0, b'!')?;
        mapping.flush()?;
    }
    Ok(format!("mapped {len} bytes"))
}

fn connect(address: &str) -> Result<String, Error> {
    std::net::TcpStream::connect(address)?;
    Ok("connected".into())
}

fn widest(rights: &str, file: &str) -> Result<String, Error> {
    let flags = match rights {
        "reading" => DescriptorFlags::READ,
        "both" => DescriptorFlags::READ | DescriptorFlags::WRITE,
        _ => panic!("no such rights: {rights}"),
    };
    let (directory, _) = get_directories().pop().expect("a directory");
    let file = directory.open_at(PathFlags::empty(), file, OpenFlags::empty(), flags).expect("the file is opened");
    let mut mapping = Mapping::options().flags(MapFlags::WIDEST_ACCESS).map(file)?;
    let access = mapping.access();
    assert_eq!(mapping.set(0, b'!').is_ok(), access == Access::Write);
    Ok(format!("{access:?}"))
}

fn anonymous(length: u64, count: u64) -> Result<String, Error> {
    let mut mappings = Vec::new();
    for _ in 0..count {
        match Mapping::anonymous(length) {
            Ok(mapping) => mappings.push(mapping),
            Err(error) => {
                println!("{} of {count}", mappings.len());
                return Err(error);
            }
        }
    }
    Ok(format!("{count} of {count}"))
}

fn leak(file: &str, count: u64) -> Result<String, Error> {
    for _ in 0..count {
        std::mem::forget(Mapping::open(file)?);
        std::mem::forget(Mapping::anonymous(4096)?);
    }
    Ok(format!("{count} leaked"))
}

fn read(length: u64, file: &str) -> Result<String, Error> {
    let bytes = Mapping::open(file)?.read_range(..length)?;
    Ok(format!("{} bytes, {} of them not 0", bytes.len(), bytes.iter().filter(|&&byte| byte != 0).count()))
}

fn find(file: &str) -> Result<String, Error> {
    let mapping = Mapping::open(file)?;
    Ok(format!("{:?}", mapping.find_from_cursor(b"\xffnowhere\xff", None, None)?))
}
