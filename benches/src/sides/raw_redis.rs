//! [`RawRedis`]: hand-written scripts that check owner and incarnation as ours do, the same hashes and order indexes,
//! and plain reads, pipelined where there are many.

use bytes::Bytes;
use redis::{FromRedisValue, Pipeline, RedisError, Script, ToRedisArgs, aio::MultiplexedConnection};
use statehold::{Error, ErrorKind, Result};
use statehold_bench_kit::{
    Access, Client, Op,
    case::Open,
    op::{head, modified},
};

use super::{GROUPS, State, count_of, group_of, missing, payload, raw_value};

/// ARGV: epoch, incarnation, then of each hash: its name, its index or the map's, how many fields, and their pairs.
const PUT: &str = "
local m = redis.call('HMGET', KEYS[1], 'e', 'i')
if m[1] ~= ARGV[1] then return 'FENCED' end
if m[2] ~= ARGV[2] then return 'STALE' end
local p = 3
while p <= #ARGV do
  local hash, order, member, n = ARGV[p], ARGV[p + 1], ARGV[p + 2], tonumber(ARGV[p + 3])
  local last = p + 3 + 2 * n
  if redis.call('HSET', hash, unpack(ARGV, p + 4, last)) > 0 then
    if member ~= '' then
      redis.call('ZADD', order, 0, member)
    else
      local names = {}
      for at = p + 4, last, 2 do names[#names + 1] = 0 names[#names + 1] = ARGV[at] end
      redis.call('ZADD', order, unpack(names))
    end
  end
  p = last + 1
end
return 'OK'";

/// ARGV: epoch, incarnation, the list, its index, its name there, 1 to clear it first, its elements.
const PUSH: &str = "
local m = redis.call('HMGET', KEYS[1], 'e', 'i')
if m[1] ~= ARGV[1] then return 'FENCED' end
if m[2] ~= ARGV[2] then return 'STALE' end
if ARGV[6] == '1' then redis.call('DEL', ARGV[3]) end
if redis.call('RPUSH', ARGV[3], unpack(ARGV, 7)) == #ARGV - 6 then redis.call('ZADD', ARGV[4], 0, ARGV[5]) end
return 'OK'";

/// One server, and where our keys are there.
pub(super) struct RawRedis {
    connection: MultiplexedConnection,
    base: String,
    durability: String,
    engine: Option<String>,
}

fn failed(e: RedisError) -> Error {
    let kind = if e.is_io_error() { ErrorKind::Unavailable } else { ErrorKind::Internal };
    Error::new(kind, "raw Redis failed").because(e)
}

impl RawRedis {
    pub(super) async fn open(open: &Open) -> Result<Self> {
        let url = open.place.url.as_deref().ok_or_else(|| Error::invalid("there is no server"))?;
        if url.contains(',') {
            return Err(Error::unsupported("raw Redis is measured on a single server"));
        }
        let client = redis::Client::open(url).map_err(failed)?;
        let mut connection = client.get_multiplexed_async_connection().await.map_err(failed)?;
        let base = format!("{}_raw:{{1}}", open.place.name);
        let mut made = redis::cmd("HSET");
        made.arg(format!("{base}m")).arg("e").arg(1).arg("i").arg(1);
        made.exec_async(&mut connection).await.map_err(failed)?;
        let info: String = redis::cmd("INFO").arg("server").query_async(&mut connection).await.map_err(failed)?;
        let version = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
        let engine = version.map(|version| format!("Redis {}", version.trim()));
        let durability = open.durability.clone().unwrap_or_else(|| "visible".to_owned());
        Ok(Self { connection, base, durability, engine })
    }
}

impl Access for RawRedis {
    type Client = Connection;

    async fn client(&mut self) -> Result<Connection> {
        let (connection, base) = (self.connection.clone(), self.base.clone());
        Ok(Connection { connection, base, put: Script::new(PUT), push: Script::new(PUSH) })
    }

    fn durability(&self) -> String {
        self.durability.clone()
    }

    fn engine(&self) -> Option<String> {
        self.engine.clone()
    }

    async fn close(self) -> Result<()> {
        Ok(())
    }
}

/// The one connection, shared by all tasks as ours is.
pub(super) struct Connection {
    connection: MultiplexedConnection,
    base: String,
    put: Script,
    push: Script,
}

/// Rows of one hash: its name, the index's, the map's name, fields and values.
struct Rows<'a> {
    hash: Vec<u8>,
    order: String,
    member: &'a [u8],
    pairs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Connection {
    fn hash(&self, state: State, group: u8) -> String {
        format!("{}h{group}.{}", self.base, state as u8)
    }

    fn order(&self, state: State, key: u64) -> String {
        format!("{}o{}.{}", self.base, group_of(key), state as u8)
    }

    fn under(&self, state: State, key: u64) -> Vec<u8> {
        let name = format!("{}k{}.{}:", self.base, group_of(key), state as u8);
        [name.as_bytes(), &key.to_be_bytes()].concat()
    }

    fn done(answer: &str) -> Result<u64> {
        if answer == "OK" { Ok(0) } else { Err(Error::internal(format!("raw Redis refused a write: {answer}"))) }
    }

    async fn write(&mut self, rows: &[Rows<'_>]) -> Result<u64> {
        let mut call = self.put.key(format!("{}m", self.base));
        call.arg(1).arg(1);
        for Rows { hash, order, member, pairs } in rows {
            call.arg(hash).arg(order).arg(*member).arg(pairs.len());
            for (field, value) in pairs {
                call.arg(field).arg(value);
            }
        }
        let answer: String = call.invoke_async(&mut self.connection).await.map_err(failed)?;
        Self::done(&answer)
    }

    async fn push(&mut self, key: u64, values: &[Bytes], clear: bool) -> Result<u64> {
        let (list, order) = (self.under(State::Lists, key), self.order(State::Lists, key));
        let mut call = self.push.key(format!("{}m", self.base));
        call.arg(1).arg(1).arg(list).arg(order).arg(&key.to_be_bytes()[..]).arg(u8::from(clear));
        for value in values {
            call.arg(raw_value(value));
        }
        let answer: String = call.invoke_async(&mut self.connection).await.map_err(failed)?;
        Self::done(&answer)
    }

    async fn ask<T: FromRedisValue>(&mut self, command: &str, name: impl ToRedisArgs, rest: &[&[u8]]) -> Result<T> {
        let mut ask = redis::cmd(command);
        ask.arg(name).arg(rest);
        ask.query_async(&mut self.connection).await.map_err(failed)
    }

    async fn find(&mut self, hash: impl ToRedisArgs, field: u64) -> Result<Option<Bytes>> {
        let found: (Option<Bytes>,) = self.ask("HMGET", hash, &[&field.to_be_bytes()]).await?;
        Ok(found.0)
    }

    async fn put_many(&mut self, state: State, mut rows: Vec<(u64, Bytes)>) -> Result<u64> {
        rows.sort_unstable_by_key(|(key, _)| group_of(*key));
        let of_group = |rows: &[(u64, Bytes)]| {
            let first = rows.first().map_or(0, |(key, _)| *key);
            let pairs = rows.iter().map(|(key, value)| (key.to_be_bytes().to_vec(), raw_value(value))).collect();
            let hash = self.hash(state, group_of(first)).into_bytes();
            Rows { hash, order: self.order(state, first), member: &[], pairs }
        };
        let rows: Vec<_> = rows.chunk_by(|a, b| group_of(a.0) == group_of(b.0)).map(of_group).collect();
        self.write(&rows).await
    }

    async fn get_many(&mut self, mut keys: Vec<u64>) -> Result<u64> {
        keys.sort_unstable_by_key(|key| group_of(*key));
        let mut gets: Pipeline = redis::pipe();
        gets.atomic();
        for keys in keys.chunk_by(|a, b| group_of(*a) == group_of(*b)) {
            let first = keys.first().copied().unwrap_or_default();
            let get = gets.cmd("HMGET").arg(self.hash(State::Values, group_of(first)));
            for key in keys {
                get.arg(&key.to_be_bytes()[..]);
            }
        }
        let found: Vec<Vec<Option<Bytes>>> = gets.query_async(&mut self.connection).await.map_err(failed)?;
        sum(found.iter().flatten().map(Option::as_ref))
    }

    async fn count_keys(&mut self) -> Result<u64> {
        let mut count = 0;
        for group in 0..GROUPS as u8 {
            let hash = self.hash(State::Values, group);
            count += self.ask::<Vec<Bytes>>("HKEYS", hash, &[]).await?.len() as u64;
        }
        Ok(count)
    }

    /// A map's entries in order.
    async fn entries(&mut self, key: u64) -> Result<Vec<(u64, Bytes)>> {
        let name = self.under(State::Maps, key);
        let found: Vec<(Bytes, Bytes)> = self.ask("HGETALL", name, &[]).await?;
        let sub = |sub: &Bytes| sub.first_chunk().map_or(0, |sub| u64::from_be_bytes(*sub));
        let mut entries: Vec<_> = found.into_iter().map(|(field, value)| (sub(&field), value)).collect();
        entries.sort_unstable_by_key(|(sub, _)| *sub);
        Ok(entries)
    }
}

fn sum<'a>(values: impl IntoIterator<Item = Option<&'a Bytes>>) -> Result<u64> {
    values.into_iter().try_fold(0_u64, |sum, value| Ok(sum.wrapping_add(head(payload(value)?))))
}

impl Client for Connection {
    async fn apply(&mut self, op: &mut Op) -> Result<u64> {
        use State::{Counts, Maps, Values};
        let of = |this: &Self, key| this.hash(Values, group_of(key));
        match op.take() {
            Op::Put(key, value) => self.put_many(Values, vec![(key, value)]).await,
            Op::Get(key) => sum([Some(&self.find(of(self, key), key).await?.ok_or_else(missing)?)]),
            Op::GetAbsent(key) => Ok(u64::from(self.find(of(self, key), key).await?.is_none())),
            Op::Modify(key) => {
                let old = self.find(of(self, key), key).await?;
                let old = payload(old.as_ref())?;
                self.put_many(Values, vec![(key, modified(old))]).await?;
                Ok(head(old))
            }
            Op::Increment(key) => {
                let count = count_of(self.find(self.hash(Counts, group_of(key)), key).await?.as_deref()) + 1;
                self.put_many(Counts, vec![(key, Bytes::copy_from_slice(&count.to_le_bytes()))]).await?;
                Ok(count)
            }
            Op::PutMany(rows) => self.put_many(Values, rows).await,
            Op::GetMany(keys) => self.get_many(keys).await,
            Op::CountKeys => self.count_keys().await,
            Op::PutEntry(key, sub, value) => {
                let rows = Rows {
                    hash: self.under(Maps, key),
                    order: self.order(Maps, key),
                    member: &key.to_be_bytes(),
                    pairs: vec![(sub.to_be_bytes().to_vec(), raw_value(&value))],
                };
                self.write(&[rows]).await
            }
            Op::GetEntry(key, sub) => sum([self.find(self.under(Maps, key), sub).await?.as_ref()]),
            Op::EntryAbsent(key, sub) => Ok(u64::from(self.find(self.under(Maps, key), sub).await?.is_none())),
            Op::Entries(key) => {
                let entries = self.entries(key).await?;
                let subs = entries.iter().fold(0_u64, |sum, (sub, _)| sum.wrapping_add(*sub));
                Ok(sum(entries.iter().map(|(_, value)| Some(value)))?.wrapping_add(subs))
            }
            Op::Page(key, from, limit) => {
                let entries = self.entries(key).await?;
                sum(entries.iter().filter(|(sub, _)| *sub >= from).take(limit).map(|(_, value)| Some(value)))
            }
            Op::Append(key, value) => self.push(key, &[value], false).await,
            Op::Replace(key, values) => self.push(key, &values, true).await,
            Op::Elements(key) => {
                let name = self.under(State::Lists, key);
                let found: Vec<Bytes> = self.ask("LRANGE", name, &[b"0", b"-1"]).await?;
                sum(found.iter().map(Some))
            }
        }
    }
}
