//! Large allocations in huge pages.
//!
//! A flood of a million attempts is found through tables of tens of megabytes, at places that jump
//! about. In pages of 4 KiB nearly every access also waits for the page table; in pages of 2 MiB it
//! does not, which takes a fifth off the whole time. Linux gives them, where it is not set to
//! `never`, to memory that is asked for with `madvise`.

#![expect(unsafe_code, reason = "an allocator; it hands every call on to the system's")]

use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator, with large blocks aligned to huge pages and advised to be in them.
#[derive(Debug)]
pub struct HugePages;

/// The size of a huge page.
const PAGE: usize = 2 * 1024 * 1024;
/// From what size on a block is in huge pages.
pub(crate) const LARGE: usize = PAGE;

/// Returns how a block is made: the same for its whole life.
fn block_layout(asked: Layout) -> Layout {
    if asked.size() < LARGE {
        return asked;
    }
    // What is left after the last whole page is in hundreds of small ones, unless it takes little to fill a page.
    let whole = asked.size().div_ceil(PAGE).saturating_mul(PAGE);
    let is_near = whole.saturating_sub(asked.size()) <= PAGE / 4;
    let size = if is_near { whole } else { asked.size() };
    // Fails only for sizes that nothing can have.
    Layout::from_size_align(size, asked.align().max(PAGE)).unwrap_or(asked)
}

// SAFETY: Every block comes from the system's allocator and goes back to it with the layout that it
// was made with, which follows from the layout asked for. Advice changes no contents.
unsafe impl GlobalAlloc for HugePages {
    unsafe fn alloc(&self, asked: Layout) -> *mut u8 {
        let layout = block_layout(asked);
        // SAFETY: The size is at least that asked for, which the caller warrants not to be 0.
        let block = unsafe { System.alloc(layout) };
        if layout.size() >= LARGE && !block.is_null() && cfg!(target_os = "linux") {
            // SAFETY: The block is of this size and begins at a page. Where the kernel has no huge
            // pages the call fails, and the block is as good.
            unsafe { libc::madvise(block.cast(), layout.size(), libc::MADV_HUGEPAGE) };
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, asked: Layout) {
        // SAFETY: The block was made with this layout.
        unsafe { System.dealloc(block, block_layout(asked)) }
    }

    unsafe fn realloc(&self, block: *mut u8, asked: Layout, new_size: usize) -> *mut u8 {
        if asked.size() < LARGE && new_size < LARGE {
            // SAFETY: The caller keeps the contract, and both layouts are as asked for.
            return unsafe { System.realloc(block, asked, new_size) };
        }
        // SAFETY: The caller warrants that the new size makes a layout. The new block does not
        // overlap the old one, both are as large as is copied, and the old one is given back only
        // if there is a new one.
        unsafe {
            let new_block = self.alloc(Layout::from_size_align_unchecked(new_size, asked.align()));
            if !new_block.is_null() {
                new_block.copy_from_nonoverlapping(block, asked.size().min(new_size));
                self.dealloc(block, asked);
            }
            new_block
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_keep_their_contents_as_they_grow_and_shrink() {
        let sizes = [
            100,
            5000,
            LARGE - 1,
            LARGE,
            LARGE + 1,
            3 * LARGE - 100,
            3 * LARGE,
            LARGE,
            LARGE - 1,
            100,
        ];
        let mut layout = Layout::from_size_align(64, 8).unwrap();
        // SAFETY: Each block is used within its size, with the layout that it was made with.
        unsafe {
            let mut block = HugePages.alloc(layout);
            block.write_bytes(0xa5, layout.size());
            for size in sizes {
                let kept = layout.size().min(size);
                block = HugePages.realloc(block, layout, size);
                layout = Layout::from_size_align(size, 8).unwrap();
                let bytes = std::slice::from_raw_parts(block, kept);
                assert!(bytes.iter().all(|&byte| byte == 0xa5), "{size}");
                assert!(size < LARGE || block.addr().is_multiple_of(PAGE), "{size}");
                block.write_bytes(0xa5, size);
            }
            HugePages.dealloc(block, layout);
        }
    }

    /// Others would take much more memory than was asked for.
    #[test]
    fn blocks_end_with_a_page_if_that_takes_little_more() {
        let made = |size| block_layout(Layout::from_size_align(size, 8).unwrap()).size();
        assert_eq!(made(PAGE - 1), PAGE - 1);
        assert_eq!(made(PAGE), PAGE);
        assert_eq!(made(PAGE + 1), PAGE + 1);
        assert_eq!(made(4 * PAGE - PAGE / 4), 4 * PAGE);
        assert_eq!(made(4 * PAGE - PAGE / 3), 4 * PAGE - PAGE / 3);
        assert_eq!(made(3 * PAGE + 1), 3 * PAGE + 1);
        assert_eq!(made(20 * PAGE + 1), 20 * PAGE + 1);
    }

    #[test]
    fn zeroed_blocks_are_zero() {
        let layout = Layout::from_size_align(LARGE, 8).unwrap();
        // SAFETY: The block is read within its size and given back with its layout.
        unsafe {
            let block = HugePages.alloc_zeroed(layout);
            assert!(std::slice::from_raw_parts(block, LARGE).iter().all(|&byte| byte == 0));
            HugePages.dealloc(block, layout);
        }
    }
}
