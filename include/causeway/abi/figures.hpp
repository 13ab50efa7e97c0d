// Stats rows by which one sees how the adapter works: its movers, its denials, and how long and how
// large what it moved was. Sent as the rows in control.hpp are.
//
// Who came in by a named entrance sees the denials of that entrance's partition, and neither movers
// nor histograms: these are of all partitions together.
#pragma once

#include <causeway/abi/control.hpp>
#include <cstddef>
#include <cstdint>

namespace causeway::abi {

struct MoverRow {
    std::uint32_t index;
    std::uint32_t load;        // thousandths of its last busy 10 ms that went into moving
    std::uint64_t cpu_ns;      // processor time of its thread
    std::uint64_t turns;       // rounds over its connections
    std::uint64_t sleeps;      // times it found nothing to do and went to sleep
    std::uint64_t wakeups;     // of those, ended by a doorbell or the adapter, not by time
    std::uint64_t operations;  // that it completed
    std::uint64_t bytes;       // that it moved with them
    std::uint64_t given;       // connections that it gave to another mover
};

struct DenialRow {
    char partition[kNameSize];  // whose wish was denied; empty: of nobody in particular
    char rule[kNameSize];       // that denied it
    std::uint64_t count;
};

// What a histogram counts.
enum class Measure : std::uint32_t {
    latency = 0,  // ns from the step of a mover that first looks at a descriptor to its completion
    size = 1,     // bytes of an operation that succeeded
};

// Bucket 0 counts values of 0 and 1; bucket i those above 2^(i-1) and up to 2^i; the last one also
// everything above.
inline constexpr std::size_t kHistogramBuckets = 40;

struct HistogramRow {       // of one mover
    std::uint32_t measure;  // Measure
    std::uint32_t mover;
    std::uint64_t sum;
    std::uint64_t buckets[kHistogramBuckets];
};

static_assert(sizeof(MoverRow) == 64 && sizeof(DenialRow) == 136);
static_assert(sizeof(HistogramRow) == 336);
static_assert(offsetof(MoverRow, cpu_ns) == 8 && offsetof(MoverRow, turns) == 16);
static_assert(offsetof(MoverRow, sleeps) == 24 && offsetof(MoverRow, wakeups) == 32);
static_assert(offsetof(MoverRow, operations) == 40 && offsetof(MoverRow, bytes) == 48);
static_assert(offsetof(MoverRow, given) == 56);
static_assert(offsetof(DenialRow, rule) == 64 && offsetof(DenialRow, count) == 128);
static_assert(offsetof(HistogramRow, mover) == 4 && offsetof(HistogramRow, sum) == 8);
static_assert(offsetof(HistogramRow, buckets) == 16);

}  // namespace causeway::abi
