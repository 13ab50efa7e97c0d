// What is asked of an image, and what became of it. Own file because all that execute use it.
#pragma once

#include <causeway/abi/block.hpp>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace causeway::io::block {

enum class Operation : std::uint8_t { read, write, flush, zero, discard, extents };

struct Order {
    Operation operation = Operation::flush;
    std::uint32_t flags = 0;   // abi::block::request_flag
    std::uint64_t offset = 0;  // bytes
    std::uint64_t length = 0;
    std::byte* data = nullptr;                           // read, write
    std::vector<abi::block::Extent>* extents = nullptr;  // of that
    std::uint64_t cookie = 0;
};

struct Ended {
    std::uint64_t cookie = 0;
    int error = 0;  // errno
};

}  // namespace causeway::io::block
