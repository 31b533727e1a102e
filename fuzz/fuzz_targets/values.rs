//! Any bytes as an encoded value: refused, or a value that its encoding gives back.
#![no_main]

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use statehold::{Codec, ErrorKind, Json, Postcard};
use statehold_fuzz::order::Order;

#[derive(Arbitrary, Debug)]
enum Input<'a> {
    Bytes(&'a [u8]),
    Value(Order),
}

fn encoded(codec: &impl Codec<Order>, value: &Order) -> Bytes {
    let mut out = Vec::new();
    codec.encode(value, &mut out).expect("it can be encoded");
    out.into()
}

fn returns(codec: &impl Codec<Order>, value: &Order) {
    let bytes = encoded(codec, value);
    let back = codec.decode(bytes.clone()).expect("what was encoded decodes");
    // Not a byte more or less.
    for other in [&bytes[..bytes.len() - 1], &[&bytes[..], b"0"].concat()] {
        let error = codec.decode(Bytes::copy_from_slice(other)).expect_err("it has another length");
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
    // By bytes, as NaN is not itself.
    assert_eq!(encoded(codec, &back), bytes, "{value:?}");
}

fn decode(codec: &impl Codec<Order>, bytes: &[u8]) {
    match codec.decode(Bytes::copy_from_slice(bytes)) {
        Ok(value) => returns(codec, &value),
        Err(e) => assert_eq!(e.kind(), ErrorKind::Corrupt, "{e}"),
    }
}

fuzz_target!(|input: Input<'_>| match input {
    Input::Bytes(bytes) => {
        decode(&Postcard, bytes);
        decode(&Json, bytes);
    }
    Input::Value(value) => {
        returns(&Postcard, &value);
        // JSON knows no other numbers.
        if value.weight.is_finite() && value.small.is_finite() {
            returns(&Json, &value);
            let back: Order = Json.decode(encoded(&Json, &value)).expect("it was decoded once");
            assert_eq!(back, value);
        }
    }
});
