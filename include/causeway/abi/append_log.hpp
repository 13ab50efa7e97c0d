// Records of an Append region that is exportable: a log to which several writers append without a
// common lock, through any executor. (Append regions that are not exportable hold bare bytes: only
// the adapter writes them.)
//
//   record: header (8 bytes), data, padding to a multiple of 8
//
// Reserving a record is a compare-and-swap of its header from free to (length, writer, reserved);
// committing it, and closing one whose writer has died, are compare-and-swaps as well. Where the
// log ends is no word in memory but the first free header: every writer keeps its own hint.
//
// Invariants:
//  1. A region begins as zeros: all of it is free. A header leaves `free` once and for ever.
//  2. From a header on the next one follows by its length alone: a reader may pass over a record in
//     any state.
//  3. Whoever maps the region can write anything: lengths are checked before they are followed.
#pragma once

#include <cstdint>

namespace causeway::abi {

enum class RecordState : std::uint8_t {
    free = 0,
    reserved = 1,   // its writer is still copying
    committed = 2,  // the data is whole
    closed = 3,     // will never be whole: its writer failed or died
};

inline constexpr std::uint64_t kRecordHeader = 8;  // bytes
inline constexpr std::uint32_t kWriterMask = 0xffffff;

// Bits 0-31: bytes of data. 32-55: number of the queue pair that appends. 56-63: state.
[[nodiscard]] constexpr std::uint64_t record_header(std::uint32_t length, std::uint32_t writer,
                                                    RecordState state) noexcept {
    return length | std::uint64_t{writer & kWriterMask} << 32 |
           static_cast<std::uint64_t>(state) << 56;
}
[[nodiscard]] constexpr std::uint32_t record_length(std::uint64_t header) noexcept {
    return static_cast<std::uint32_t>(header);
}
[[nodiscard]] constexpr std::uint32_t record_writer(std::uint64_t header) noexcept {
    return static_cast<std::uint32_t>(header >> 32) & kWriterMask;
}
[[nodiscard]] constexpr RecordState record_state(std::uint64_t header) noexcept {
    return static_cast<RecordState>(header >> 56);
}
// Bytes that a record with `length` bytes of data takes in all.
[[nodiscard]] constexpr std::uint64_t record_size(std::uint64_t length) noexcept {
    return kRecordHeader + ((length + 7) & ~std::uint64_t{7});
}

}  // namespace causeway::abi
