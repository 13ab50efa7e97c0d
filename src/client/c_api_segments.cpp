// The C ABI: named segments.
#include <cstddef>

#include "client/c_api.hpp"

using namespace causeway;                // NOLINT(google-build-using-namespace)
using namespace causeway::client;        // NOLINT(google-build-using-namespace)
using namespace causeway::client::capi;  // NOLINT(google-build-using-namespace)

namespace {

constexpr char kNoSegment[] = "no segment given (NULL)";

[[nodiscard]] bool usable(const cw_segment* segment) noexcept {
    if (segment != nullptr && segment->partition().here())
        return true;
    (void)(segment == nullptr ? missing(kNoSegment) : forked());
    return false;
}

}  // namespace

int cw_segment_open(cw_partition* partition, const char* name, cw_segment_access access,
                    cw_segment** out) {
    if (out == nullptr)
        return missing("no place for the result given (NULL)");
    if (partition == nullptr)
        return missing("no partition given (NULL)");
    if (name == nullptr)
        return missing("no name of a segment given (NULL)");
    if (!partition->shared->here())
        return forked();
    return make(out, [&] {
        return Segment::open(partition->shared, name, static_cast<abi::SegmentAccess>(access));
    });
}

int cw_segment_close(cw_segment* segment) {
    if (segment == nullptr)
        return missing(kNoSegment);
    if (!segment->partition().here()) {
        delete segment;
        return forked();
    }
    const int closed = guarded([&] { return segment->close(); });
    delete segment;
    return closed;
}

const char* cw_segment_name(const cw_segment* segment) {
    return segment != nullptr ? segment->name().c_str() : "";
}

void* cw_segment_data(const cw_segment* segment) {
    return usable(segment) ? segment->data() : nullptr;
}

size_t cw_segment_size(const cw_segment* segment) { return usable(segment) ? segment->size() : 0; }

int cw_segment_writable(const cw_segment* segment) {
    return usable(segment) && segment->writable() ? 1 : 0;
}

int cw_segment_read(cw_segment* segment, uint64_t offset, cw_region* into, size_t at,
                    size_t length) {
    if (segment == nullptr)
        return missing(kNoSegment);
    if (into == nullptr)
        return missing("no region given (NULL)");
    if (!segment->partition().here() || !into->partition().here())
        return forked();
    return guarded([&]() -> Result<void> { return segment->read(offset, *into, at, length); });
}

int cw_segment_check(cw_segment* segment) {
    if (segment == nullptr)
        return missing(kNoSegment);
    if (!segment->partition().here())
        return forked();
    return guarded([&]() -> Result<void> { return segment->check(); });
}
