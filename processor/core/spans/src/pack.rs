//! Bytes that have waited for a while, compressed: many traces to a block, because what they have in common is what there is to gain.

use std::sync::Arc;

/// Bytes that make a block. Larger ones are no smaller when packed, and cost more when one trace alone is wanted.
pub const BLOCK: usize = 1 << 16;
/// Unpacked blocks that are remembered: traces are wanted in about the order in which they were packed.
const UNPACKED: usize = 8;

struct Block {
    packed: Box<[u8]>,
    size: usize,
}

/// A part of a block, which lives as long as one of its parts does.
pub struct Packed {
    block: Arc<Block>,
    begin: usize,
    end: usize,
}

/// Packs several pieces of bytes into one block; returns them in their order.
pub fn pack(pieces: &[&[u8]]) -> Vec<Packed> {
    let together = pieces.concat();
    let block = Arc::new(Block { packed: lz4_flex::block::compress(&together).into(), size: together.len() });
    let mut end = 0;
    let part = |piece: &&[u8]| {
        let begin = end;
        end += piece.len();
        Packed { block: block.clone(), begin, end }
    };
    pieces.iter().map(part).collect()
}

/// The blocks that were unpacked last.
#[derive(Default)]
pub struct Unpacked {
    blocks: Vec<(Arc<Block>, Vec<u8>)>,
}

impl Unpacked {
    /// Append what was packed.
    pub fn read(&mut self, packed: &Packed, into: &mut Vec<u8>) {
        let found = self.blocks.iter().position(|(block, _)| Arc::ptr_eq(block, &packed.block));
        let at = found.unwrap_or_else(|| {
            let block = &packed.block;
            let bytes = lz4_flex::block::decompress(&block.packed, block.size).expect("a block of our own is valid");
            if self.blocks.len() == UNPACKED {
                self.blocks.remove(0);
            }
            self.blocks.push((block.clone(), bytes));
            self.blocks.len() - 1
        });
        into.extend_from_slice(&self.blocks[at].1[packed.begin..packed.end]);
        // The one that is used is the last to be forgotten.
        self.blocks[at..].rotate_left(1);
    }

    /// Forget all blocks.
    pub fn clear(&mut self) {
        self.blocks.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_as_it_was() {
        let pieces: Vec<Vec<u8>> = (0..100u8).map(|number| vec![number; usize::from(number) * 7]).collect();
        let mut unpacked = Unpacked::default();
        for _ in 0..20 {
            let packed = pack(&pieces.iter().map(|piece| &piece[..]).collect::<Vec<_>>());
            for (piece, packed) in pieces.iter().zip(&packed) {
                let mut read = b"before".to_vec();
                unpacked.read(packed, &mut read);
                assert_eq!(read, [b"before", &piece[..]].concat());
            }
            assert!(unpacked.blocks.len() <= UNPACKED);
        }
    }

    #[test]
    fn a_block_that_is_used_is_kept() {
        let mut unpacked = Unpacked::default();
        let used = pack(&[b"used"]).remove(0);
        for _ in 0..3 * UNPACKED {
            unpacked.read(&used, &mut Vec::new());
            unpacked.read(&pack(&[b"other"])[0], &mut Vec::new());
        }
        assert!(unpacked.blocks.iter().any(|(block, _)| Arc::ptr_eq(block, &used.block)));
    }
}
