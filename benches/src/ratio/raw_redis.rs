//! Raw Redis: a hand-written script that checks owner and incarnation as ours does, the same hashes and order
//! indexes, and plain `HMGET` reads.

use bytes::Bytes;
use redis::{Client, RedisError, Script, Value, aio::MultiplexedConnection};
use statehold::{Error, Result};

use super::driver::{Driver, group_of, raw_value};

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

const META: &str = "{1}m";

/// One connection.
pub(super) struct RawRedis {
    connection: MultiplexedConnection,
    put: Script,
}

fn failed(e: RedisError) -> Error {
    Error::internal("raw Redis failed").because(e)
}

/// Rows of one hash: its name, the index's, the map's name, fields and values.
struct Rows<'a> {
    hash: Vec<u8>,
    order: String,
    member: &'a [u8],
    pairs: Vec<(Vec<u8>, Vec<u8>)>,
}

fn hash_of(key: u64) -> String {
    format!("{{1}}h{}.1", group_of(key))
}

fn map_of(key: u64) -> Vec<u8> {
    [format!("{{1}}k{}.2:", group_of(key)).as_bytes(), &key.to_be_bytes()].concat()
}

impl RawRedis {
    pub(super) async fn connect(url: &str) -> Result<Self> {
        let client = Client::open(url).map_err(failed)?;
        let mut connection = client.get_multiplexed_async_connection().await.map_err(failed)?;
        let made = redis::cmd("HSET").arg(META).arg("e").arg(1).arg("i").arg(1).exec_async(&mut connection).await;
        made.map_err(failed)?;
        Ok(Self { connection, put: Script::new(PUT) })
    }

    async fn write(&mut self, rows: &[Rows<'_>]) -> Result<()> {
        let mut call = self.put.key(META);
        call.arg(1).arg(1);
        for Rows { hash, order, member, pairs } in rows {
            call.arg(hash).arg(order).arg(*member).arg(pairs.len());
            for (field, value) in pairs {
                call.arg(field).arg(value);
            }
        }
        let answer: String = call.invoke_async(&mut self.connection).await.map_err(failed)?;
        if answer == "OK" { Ok(()) } else { Err(Error::internal("raw Redis refused a write")) }
    }

    async fn read(&mut self, hash: impl redis::ToRedisArgs, field: u64) -> Result<()> {
        let mut get = redis::cmd("HMGET");
        get.arg(hash).arg(&field.to_be_bytes()[..]);
        get.query_async::<Value>(&mut self.connection).await.map(drop).map_err(failed)
    }
}

impl Driver for RawRedis {
    async fn put(&mut self, key: u64, value: Bytes) -> Result<()> {
        self.put_many(vec![(key, value)]).await
    }

    async fn get(&mut self, key: u64) -> Result<()> {
        self.read(hash_of(key), key).await
    }

    async fn put_entry(&mut self, key: u64, sub: u64, value: Bytes) -> Result<()> {
        let rows = Rows {
            hash: map_of(key),
            order: format!("{{1}}o{}.2", group_of(key)),
            member: &key.to_be_bytes(),
            pairs: vec![(sub.to_be_bytes().to_vec(), raw_value(&value))],
        };
        self.write(&[rows]).await
    }

    async fn get_entry(&mut self, key: u64, sub: u64) -> Result<()> {
        self.read(map_of(key), sub).await
    }

    async fn put_many(&mut self, mut rows: Vec<(u64, Bytes)>) -> Result<()> {
        rows.sort_unstable_by_key(|(key, _)| group_of(*key));
        let of_group = |rows: &[(u64, Bytes)]| {
            let first = rows.first().map_or(0, |(key, _)| *key);
            let pairs = rows.iter().map(|(key, value)| (key.to_be_bytes().to_vec(), raw_value(value))).collect();
            let order = format!("{{1}}o{}.1", group_of(first));
            Rows { hash: hash_of(first).into_bytes(), order, member: &[], pairs }
        };
        let rows: Vec<_> = rows.chunk_by(|a, b| group_of(a.0) == group_of(b.0)).map(of_group).collect();
        self.write(&rows).await
    }

    async fn get_many(&mut self, keys: &[u64]) -> Result<()> {
        let mut keys = keys.to_vec();
        keys.sort_unstable_by_key(|key| group_of(*key));
        let mut gets = redis::pipe();
        gets.atomic();
        for keys in keys.chunk_by(|a, b| group_of(*a) == group_of(*b)) {
            let get = gets.cmd("HMGET").arg(hash_of(keys.first().copied().unwrap_or_default()));
            for key in keys {
                get.arg(&key.to_be_bytes()[..]);
            }
        }
        gets.query_async::<Value>(&mut self.connection).await.map(drop).map_err(failed)
    }
}
