// What `causeway unit block` is told of disks and hosts, in one word each.
//
// Threading: all functions are pure.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"
#include "io/block/unit/unit.hpp"

namespace causeway::cli {

struct DiskOptions {
    std::string name = "disk0";
    std::string file;
    bool read_only = false;
    bool direct_io = false;
};

// "NAME=IMAGE[,read-only][,direct-io]".
[[nodiscard]] Result<DiskOptions> parse_disk(const std::string& text);

// "PARTITION=none|read|write|shared[,weight=N][,iops=N][,bandwidth=BYTES]", each part after the
// partition may be missing: then it is as in `others`.
[[nodiscard]] Result<std::pair<std::string, io::block::HostTerms>> parse_host(
    const std::string& text, const io::block::HostTerms& others);

}  // namespace causeway::cli
