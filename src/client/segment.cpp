#include "client/segment.hpp"

#include <algorithm>
#include <utility>

#include "base/names.hpp"
#include "client/quietly.hpp"
#include "engine/copy.hpp"
#include "platform/memfd.hpp"

namespace causeway::client {
namespace {

using ull = unsigned long long;

// Read-only descriptors are refused their seals by no kernel.
[[nodiscard]] Result<platform::Mapping> map_segment(const platform::UniqueFd& memory,
                                                    std::uint64_t size,
                                                    platform::Mapping::Protection protection) {
    CW_TRY_ASSIGN(const platform::FileFacts facts, platform::file_facts(memory.get()));
    CW_TRY_ASSIGN(const unsigned seals, platform::memfd_seals(memory.get()));
    if (facts.size != size || (seals & platform::kSizeSeals) != platform::kSizeSeals) {
        return fail_format(ErrorCode::protocol,
                           "the adapter handed out a segment of %llu bytes that is not sealed at "
                           "%llu; adapter and library do not fit together",
                           static_cast<ull>(facts.size), static_cast<ull>(size));
    }
    CW_TRY_ASSIGN(platform::Mapping mapping,
                  platform::Mapping::map(memory.get(), size, 0, protection));
    CW_TRY(mapping.dont_fork());
    return mapping;
}

}  // namespace

Result<Segment> Segment::open(std::shared_ptr<Partition> partition, const std::string& name,
                              abi::SegmentAccess access) {
    CW_TRY(check_name("segment", name));
    if (access != abi::SegmentAccess::read && access != abi::SegmentAccess::write) {
        return fail_format(ErrorCode::invalid_argument,
                           "access %u of segment %s is unknown; take CW_SEGMENT_READ or "
                           "CW_SEGMENT_WRITE",
                           static_cast<unsigned>(access), name.c_str());
    }
    auto request = control::make<abi::OpenSegmentRequest>(abi::Request::open_segment);
    CW_TRY(store_text(request.name, name));
    request.access = static_cast<std::uint32_t>(access);
    Segment segment(std::move(partition), name);
    Attachment& adapter = segment.partition_->adapter();
    auto opened = adapter.transact([&](control::Channel& channel) -> Result<void> {
        platform::UniqueFd memory;
        CW_TRY_ASSIGN(const auto terms, channel.call<abi::OpenSegmentReply>(request, -1, &memory));
        CW_TRY(segment.take(terms, memory, access));
        if (memory && adapter.survives())
            adapter.keep(HeldSegment{terms.segment, std::move(memory)});
        return {};
    });
    CW_TRY(std::move(opened));
    return segment;
}

// What the adapter says, as far as it makes sense.
Result<void> Segment::take(const abi::OpenSegmentReply& terms, const platform::UniqueFd& memory,
                           abi::SegmentAccess wanted) {
    const auto manner = memory ? abi::SegmentManner::descriptor : abi::SegmentManner::copies;
    if (terms.segment == 0 || terms.size == 0 ||
        terms.access != static_cast<std::uint32_t>(wanted) ||
        terms.manner != static_cast<std::uint32_t>(manner) ||
        (wanted == abi::SegmentAccess::write && !memory)) {
        return fail_format(ErrorCode::protocol,
                           "the adapter opened segment %s as number %u with access %u and manner "
                           "%u: are it and this library of the same release?",
                           name_.c_str(), terms.segment, terms.access, terms.manner);
    }
    terms_ = terms;
    if (!memory)
        return {};
    CW_TRY_ASSIGN(mapping_, map_segment(memory, terms.size,
                                        writable() ? platform::Mapping::Protection::read_write
                                                   : platform::Mapping::Protection::read_only));
    return {};
}

Segment::Segment(Segment&& other) noexcept
    : partition_(std::move(other.partition_)),
      name_(std::move(other.name_)),
      terms_(std::exchange(other.terms_, {})),
      mapping_(std::move(other.mapping_)) {}

Segment::~Segment() {
    if (partition_ == nullptr)
        return;  // moved from
    if (!partition_->here()) {
        (void)mapping_.release();  // a forked child does not have it
        return;
    }
    quietly([this] { (void)close(); });
}

Result<void> Segment::close() {
    mapping_.reset();
    const std::uint32_t id = std::exchange(terms_, {}).segment;
    if (id == 0)
        return {};
    auto request = control::make<abi::SegmentRequest>(abi::Request::close_segment);
    request.segment = id;
    auto closed = partition_->adapter().give_back(
        Kind::segment, id, [&](control::Channel& channel) { return channel.call_empty(request); });
    // One that the adapter has ended is closed as well.
    if (!closed.has_value() && closed.error().code == ErrorCode::not_found)
        return {};
    return closed;
}

Result<void> Segment::check() {
    auto request = control::make<abi::SegmentRequest>(abi::Request::segment_status);
    request.segment = terms_.segment;
    return partition_->adapter().transact(
        [&](control::Channel& channel) { return channel.call_empty(request); });
}

Result<void> Segment::read(std::uint64_t offset, const Region& into, std::uint64_t at,
                           std::uint64_t length) {
    if (length > size() || offset > size() - length) {
        return fail_format(ErrorCode::invalid_argument,
                           "%llu bytes at offset %llu go past the end of segment %s, which has "
                           "%llu",
                           static_cast<ull>(length), static_cast<ull>(offset), name_.c_str(),
                           static_cast<ull>(size()));
    }
    if (length > into.size() || at > into.size() - length) {
        return fail_format(ErrorCode::invalid_argument,
                           "%llu bytes at offset %llu go past the end of the region, which has "
                           "%llu",
                           static_cast<ull>(length), static_cast<ull>(at),
                           static_cast<ull>(into.size()));
    }
    if (data() == nullptr)
        return read_by_copies(offset, into, at, length);
    if (length != 0)
        engine::copy(into.data() + at, data() + offset, length, engine::CopyKernel::cached);
    return {};
}

Result<void> Segment::read_by_copies(std::uint64_t offset, const Region& into, std::uint64_t at,
                                     std::uint64_t length) {
    for (std::uint64_t done = 0; done < length;) {
        const cw_remote target = into.remote(at + done);
        auto request = control::make<abi::CopySegmentRequest>(abi::Request::copy_segment);
        request.segment = terms_.segment;
        request.length = static_cast<std::uint32_t>(
            std::min<std::uint64_t>(length - done, abi::kMostSegmentCopy));
        request.offset = offset + done;
        request.handle = target.handle;
        request.generation = target.generation;
        request.address = target.address;
        CW_TRY(partition_->adapter().transact(
            [&](control::Channel& channel) { return channel.call_empty(request); }));
        done += request.length;
    }
    return {};
}

}  // namespace causeway::client
