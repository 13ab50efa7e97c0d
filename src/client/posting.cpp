#include "client/posting.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "client/last_error.hpp"

namespace causeway::client {
namespace {

namespace flag = abi::descriptor_flag;

ErrorCode bad_slice(const RegionIndex& regions, const cw_slice& slice) noexcept {
    RegionSpan region;
    if (!regions.find(slice.handle, region)) {
        return set_error(ErrorCode::invalid_argument,
                         "a slice has handle %llu, which is no open region of this partition; take "
                         "the handle from cw_region_handle",
                         slice.handle);
    }
    const std::uint64_t address = reinterpret_cast<std::uintptr_t>(slice.address);
    if (address < region.base) {
        return set_error(ErrorCode::invalid_argument, "a slice begins %llu bytes before its region",
                         region.base - address);
    }
    return set_error(ErrorCode::invalid_argument,
                     "a slice ends %llu bytes past the end of its region of %llu bytes",
                     address - region.base + slice.length - region.size, region.size);
}

}  // namespace

ErrorCode check_slices(const RegionIndex& regions, const cw_slice* slices, std::uint32_t count,
                       Gather& out) noexcept {
    if (count > abi::kMaxGather) {
        return set_error(ErrorCode::invalid_argument, "%llu slices in one list; the most is %llu",
                         count, abi::kMaxGather);
    }
    if (slices == nullptr && count != 0) {
        return set_error(ErrorCode::invalid_argument, "no slices given (NULL), but a count of %llu",
                         count);
    }
    out.count = 0;
    out.length = 0;
    out.exportable = true;
    for (std::uint32_t i = 0; i < count; ++i) {
        const cw_slice& slice = slices[i];
        if (slice.length == 0)
            continue;
        RegionSpan region;
        std::uint64_t offset = 0;
        if (!locate(regions, slice, region, offset))
            return bad_slice(regions, slice);
        out.exportable = out.exportable && region.exportable();
        out.list[out.count] = {slice.length, slice.handle, region.registered + offset};
        out.bytes[out.count] = static_cast<const std::byte*>(slice.address);
        ++out.count;
        out.length += slice.length;
    }
    if (out.length > std::numeric_limits<std::uint32_t>::max()) {
        return set_error(ErrorCode::invalid_argument,
                         "the slices sum up to %llu bytes; one transfer has at most 4294967295",
                         out.length);
    }
    return ErrorCode::none;
}

void build(const abi::ControlSegment& head, const abi::AddressSegment& address,
           const Gather& gather, Inlining inlining, std::span<abi::Descriptor> out) noexcept {
    abi::Descriptor& first = out[0];
    first = {};
    first.control = head;
    first.address = address;
    if (goes_inline(gather, inlining)) {
        first.control.flags |= flag::kInline;
        first.control.segments = static_cast<std::uint8_t>(gather.length);
        std::uint8_t* to = first.payload;
        for (std::uint32_t i = 0; i < gather.count; ++i) {
            std::memcpy(to, gather.bytes[i], gather.list[i].length);
            to += gather.list[i].length;
        }
        return;
    }
    const std::uint32_t entries = entries_of(gather, inlining);
    for (std::uint32_t i = 0; i < entries; ++i) {
        abi::Descriptor& descriptor = out[i];
        if (i != 0) {
            descriptor = {};
            descriptor.control.opcode = head.opcode;
        }
        const std::uint32_t from = i * abi::kMaxDataSegments;
        const std::uint32_t segments = std::min(gather.count - from, abi::kMaxDataSegments);
        for (std::uint32_t j = 0; j < segments; ++j)
            descriptor.data[j] = gather.list[from + j];
        descriptor.control.segments = static_cast<std::uint8_t>(segments);
        if (i + 1 < entries)
            descriptor.control.flags |= flag::kMore;
    }
}

}  // namespace causeway::client
