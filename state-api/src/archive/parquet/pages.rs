//! [`Pages`]: a column's pages, whose counts and lengths are checked before memory is made for them.
//!
//! The Parquet crate makes room for as many bytes, or values of a dictionary, as a page says it has.

use std::sync::Arc;

use bytes::Bytes;
use parquet::{
    basic::{Compression, Encoding},
    column::page::{Page, PageMetadata, PageReader},
    errors::{ParquetError, Result},
    file::{metadata::ColumnChunkMetaData, serialized_reader::SerializedPageReader},
};
use snap::raw::{Decoder, decompress_len};

use crate::archive::chunks::Chunks;

/// No element of Snappy's format stands for more than 64 bytes, and one that copies has at least three, or two for
/// at most eleven (<https://github.com/google/snappy/blob/main/format_description.txt>).
const MAX_RATIO: usize = 22;

/// The pages of a column chunk of a row group.
pub(super) struct Pages {
    pages: SerializedPageReader<Chunks>,
    snappy: Option<Decoder>,
    rows: u32,
}

impl Pages {
    /// `rows` are those of the row group.
    pub(super) fn new(file: Arc<Chunks>, column: &ColumnChunkMetaData, rows: usize) -> Result<Self> {
        let snappy = match column.compression() {
            Compression::SNAPPY => Some(Decoder::new()),
            Compression::UNCOMPRESSED => None,
            other => return Err(unusual(format!("compression {other}"))),
        };
        // The reader leaves compressed pages to us.
        let plain = column.clone().into_builder().set_compression(Compression::UNCOMPRESSED).build()?;
        let pages = SerializedPageReader::new(file, &plain, rows, None)?;
        Ok(Self { pages, snappy, rows: u32::try_from(rows).unwrap_or(u32::MAX) })
    }

    /// What is written: other encodings have counts of their own, which nobody checks.
    fn check(&self, page: &Page) -> Result<()> {
        let encoding = page.encoding();
        if !matches!(encoding, Encoding::PLAIN | Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY) {
            return Err(unusual(format!("a page in encoding {encoding}")));
        }
        if page.num_values() > self.rows {
            let values = page.num_values();
            return Err(unusual(format!("a page of {values} values in a row group of {} rows", self.rows)));
        }
        Ok(())
    }

    fn decompress(&mut self, page: Page) -> Result<Page> {
        let Some(snappy) = &mut self.snappy else { return Ok(page) };
        Ok(match page {
            Page::DataPage { buf, num_values, encoding, def_level_encoding, rep_level_encoding, statistics } => {
                let buf = inflate(snappy, &buf)?;
                Page::DataPage { buf, num_values, encoding, def_level_encoding, rep_level_encoding, statistics }
            }
            Page::DictionaryPage { buf, num_values, encoding, is_sorted } => {
                Page::DictionaryPage { buf: inflate(snappy, &buf)?, num_values, encoding, is_sorted }
            }
            Page::DataPageV2 { .. } => return Err(unusual("a page of version 2".to_owned())),
        })
    }
}

fn inflate(snappy: &mut Decoder, bytes: &Bytes) -> Result<Bytes> {
    let failed = |e: snap::Error| ParquetError::External(Box::new(e));
    let length = decompress_len(bytes).map_err(failed)?;
    if length > bytes.len().saturating_mul(MAX_RATIO) {
        return Err(unusual(format!("{} bytes that claim to stand for {length}", bytes.len())));
    }
    // A page without values has nothing to decompress.
    if length == 0 {
        return Ok(Bytes::new());
    }
    Ok(snappy.decompress_vec(bytes).map_err(failed)?.into())
}

fn unusual(what: String) -> ParquetError {
    ParquetError::General(what)
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let Some(page) = self.pages.get_next_page()? else { return Ok(None) };
        self.check(&page)?;
        self.decompress(page).map(Some)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn life_4_a_page_that_claims_to_stand_for_gigabytes_is_refused_before_they_are_made() {
        let refused = |bytes: &'static [u8]| inflate(&mut Decoder::new(), &Bytes::from_static(bytes)).unwrap_err();
        // 2^32 - 1, and a literal of three bytes.
        let error = refused(&[0xff, 0xff, 0xff, 0xff, 0x0f, 0x08, b'a', b'b', b'c']);
        assert!(error.to_string().contains("claim to stand for 4294967295"), "{error}");
        // Not too much to be true, and yet not what follows.
        assert!(!refused(&[0x0a, 0x08, b'a', b'b', b'c']).to_string().contains("claim"));
    }

    #[test]
    fn what_compresses_best_is_below_the_ratio() {
        let plain = vec![0; 1 << 20];
        let bytes = Bytes::from(snap::raw::Encoder::new().compress_vec(&plain).unwrap());
        assert!(bytes.len() * (MAX_RATIO - 2) < plain.len(), "{}", bytes.len());
        assert_eq!(inflate(&mut Decoder::new(), &bytes).unwrap(), plain);
        assert_eq!(inflate(&mut Decoder::new(), &Bytes::new()).unwrap(), Bytes::new());
    }
}
