//! [`Script`]: what runs on the server.

use redis::Cmd;

/// A Lua script. It is called by its hash, and sent whole when the server does not know it.
#[derive(Debug)]
pub(crate) struct Script {
    source: &'static str,
    hash: std::sync::OnceLock<String>,
}

macro_rules! scripts {
    ($($name:ident $($file:literal)+),* $(,)?) => {$(
        pub(crate) static $name: Script = Script {
            source: concat!(include_str!("scripts/head.lua") $(, "\n", include_str!(concat!("scripts/", $file)))+),
            hash: std::sync::OnceLock::new(),
        };
    )*};
}

scripts! {
    COMMIT "puts.lua" "prelude.lua" "commit.lua",
    PAGE "prelude.lua" "page.lua",
    NAMES "prelude.lua" "names.lua",
    GET "prelude.lua" "get.lua",
    UNIT "prelude.lua" "unit.lua",
    ERASE "prelude.lua" "erase.lua",
    SWAP "prelude.lua" "swap.lua",
}

/// One call of a script: a key, which chooses the node, and arguments.
#[derive(Clone)]
pub(crate) struct Call {
    script: &'static Script,
    key: String,
    args: Vec<Arg>,
}

/// An argument.
#[derive(Clone)]
pub(crate) enum Arg {
    Text(String),
    Word(&'static str),
    Bytes(bytes::Bytes),
    Eight([u8; 8]),
    Number(u64),
}

impl Arg {
    /// At most so many bytes.
    fn size(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Word(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Eight(_) => 8,
            Self::Number(_) => 20,
        }
    }
}

macro_rules! arg {
    ($($from:ty => $make:expr),* $(,)?) => {$(
        impl From<$from> for Arg {
            fn from(value: $from) -> Self { $make(value) }
        }
    )*};
}
arg!(
    String => Arg::Text,
    &'static str => Arg::Word,
    bytes::Bytes => Arg::Bytes,
    &bytes::Bytes => |b: &bytes::Bytes| Arg::Bytes(b.clone()),
    [u8; 8] => Arg::Eight,
    u64 => Arg::Number,
    u32 => |n: u32| Arg::Number(n.into()),
    usize => |n: usize| Arg::Number(n as u64),
    bool => |b: bool| Arg::Word(if b { "1" } else { "0" }),
    Vec<u8> => |v: Vec<u8>| Arg::Bytes(v.into()),
);

impl Script {
    fn hash(&self) -> &str {
        self.hash.get_or_init(|| redis::Script::new(self.source).get_hash().to_owned())
    }

    pub(crate) fn on(&'static self, key: impl Into<String>) -> Call {
        Call { script: self, key: key.into(), args: Vec::new() }
    }
}

impl Call {
    pub(crate) fn arg(mut self, arg: impl Into<Arg>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub(crate) fn push(&mut self, arg: impl Into<Arg>) {
        self.args.push(arg.into());
    }

    pub(crate) fn extend(&mut self, args: impl IntoIterator<Item = Arg>) {
        self.args.extend(args);
    }

    pub(crate) fn by_hash(&self) -> Cmd {
        self.command("EVALSHA", self.script.hash())
    }

    pub(crate) fn whole(&self) -> Cmd {
        self.command("EVAL", self.script.source)
    }

    fn command(&self, name: &str, script: &str) -> Cmd {
        let size = self.args.iter().map(Arg::size).sum::<usize>() + name.len() + script.len() + self.key.len() + 1;
        let mut cmd = Cmd::with_capacity(self.args.len() + 4, size);
        cmd.arg(name).arg(script).arg(1).arg(&self.key);
        for arg in &self.args {
            match arg {
                Arg::Text(text) => cmd.arg(text),
                Arg::Word(text) => cmd.arg(*text),
                Arg::Bytes(bytes) => cmd.arg(&bytes[..]),
                Arg::Eight(bytes) => cmd.arg(&bytes[..]),
                Arg::Number(number) => cmd.arg(*number),
            };
        }
        cmd
    }
}
