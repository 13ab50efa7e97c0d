#include "adapter/region_memory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "platform/memfd.hpp"

namespace causeway::adapter {
namespace {

tl::unexpected<Error> refuse(std::string text) {
    return fail(ErrorCode::invalid_argument, std::move(text));
}

// Maps and populates one part per call.
class MapRegion {
public:
    MapRegion(std::vector<RegionFile> files, std::function<void(Result<RegionMemory>)> done)
        : done_(std::move(done)) {
        memory_.files = std::move(files);
    }

    Worker::Progress step() {
        const Result<void> placed = next_ == 0 ? reserve_and_place() : place_next();
        if (!placed) {
            done_(tl::unexpected(placed.error()));
            return Worker::Progress::finished;
        }
        if (next_ < memory_.files.size())
            return Worker::Progress::more;
        done_(std::move(memory_));
        return Worker::Progress::finished;
    }

private:
    Result<void> reserve_and_place() {
        std::uint64_t total = 0;
        std::uint64_t alignment = platform::kPage;
        for (const RegionFile& file : memory_.files) {
            total += file.size;
            alignment = std::max(alignment, file.page);
        }
        // Aligned so that transparent huge pages of the file can be mapped as such.
        if (total >= platform::kHugePage)
            alignment = std::max(alignment, platform::kHugePage);
        CW_TRY_ASSIGN(memory_.mapping, platform::Mapping::reserve(total, alignment));
        return place_next();
    }
    Result<void> place_next() {
        const RegionFile& file = memory_.files[next_];
        CW_TRY(memory_.mapping.place(offset_, file.fd.get(), 0, file.size));
        CW_TRY(memory_.mapping.populate_write(offset_, file.size));
        offset_ += file.size;
        ++next_;
        return {};
    }

    std::function<void(Result<RegionMemory>)> done_;
    RegionMemory memory_;
    std::size_t next_ = 0;
    std::uint64_t offset_ = 0;
};

}  // namespace

Result<void> check_register_request(const abi::RegisterRequest& request) {
    if (request.size == 0 || request.size % platform::kPage != 0 || request.size > abi::kMaxRegion)
        return refuse(
            fmt::format("a region of {} bytes: the size must be a multiple of {}, at "
                        "least that, and at most {}",
                        request.size, platform::kPage, abi::kMaxRegion));
    const std::uint64_t parts = (request.size + abi::kRegionPart - 1) / abi::kRegionPart;
    if (request.parts != parts)
        return refuse(fmt::format("a region of {} bytes has {} parts of at most {} bytes, not {}",
                                  request.size, parts, abi::kRegionPart, request.parts));
    if (request.part >= request.parts)
        return refuse(
            fmt::format("part {} of {}: parts are numbered from 0", request.part, request.parts));
    if ((request.rights & ~abi::right::kAll) != 0)
        return refuse(fmt::format("rights {:#x} contain unknown bits: known are {:#x}",
                                  request.rights, abi::right::kAll));
    if (request.reserved != 0)
        return refuse(
            fmt::format("the reserved field holds {}: it must be zero", request.reserved));
    if (request.address > UINT64_MAX - request.size)
        return refuse(fmt::format("{} bytes at address {:#x} go past the end of the address space",
                                  request.size, request.address));
    return {};
}

std::uint64_t part_size(const abi::RegisterRequest& request) noexcept {
    const std::uint64_t before = std::uint64_t{request.part} * abi::kRegionPart;
    return std::min(abi::kRegionPart, request.size - before);
}

Result<RegionFile> check_region_file(const abi::RegisterRequest& request,
                                     platform::UniqueFd& descriptor) {
    if (!descriptor)
        return refuse("register carries no descriptor: send the memory file along (SCM_RIGHTS)");
    const int flags = ::fcntl(descriptor.get(), F_GETFL);
    if (flags < 0 || (flags & O_PATH) != 0)
        return refuse("the descriptor only names a file (O_PATH): send the memory file itself");
    CW_TRY(platform::require_seals(descriptor.get(), platform::kSizeSeals,
                                   F_SEAL_WRITE | F_SEAL_FUTURE_WRITE));
    if ((flags & O_ACCMODE) != O_RDWR)
        return refuse("the memory file is not open for reading and writing");
    struct stat facts {};
    if (::fstat(descriptor.get(), &facts) != 0)
        return fail_errno("fstat of the memory file", errno);
    const std::uint64_t expected = part_size(request);
    const auto size = static_cast<std::uint64_t>(facts.st_size);
    if (!S_ISREG(facts.st_mode) || size != expected)
        return refuse(fmt::format("part {} of {} has {} bytes but must have {}", request.part,
                                  request.parts, size, expected));
    CW_TRY_ASSIGN(const bool huge, platform::is_huge(descriptor.get()));
    // Such files say by their block size how large their pages are; mapped, they fill whole ones.
    const std::uint64_t page =
        huge ? static_cast<std::uint64_t>(facts.st_blksize) : platform::kPage;
    if (page == 0 || size % page != 0 || abi::kRegionPart % page != 0)
        return refuse(
            fmt::format("the memory file has {} bytes in pages of {}: a part must "
                        "consist of whole pages, and pages be at most {} bytes",
                        size, page, abi::kRegionPart));
    const std::uint64_t allocated = static_cast<std::uint64_t>(facts.st_blocks) * 512;
    if (allocated < size)
        return refuse(
            fmt::format("only {} of the memory file's {} bytes are allocated: fill it "
                        "first (MADV_POPULATE_WRITE), so that it is charged to you",
                        allocated, size));
    RegionFile file;
    file.fd = std::move(descriptor);
    file.key = {static_cast<std::uint64_t>(facts.st_dev), static_cast<std::uint64_t>(facts.st_ino)};
    file.size = size;
    file.page = page;
    return file;
}

bool still_filled(const RegionFile& file) noexcept {
    struct stat facts {};
    return ::fstat(file.fd.get(), &facts) == 0 &&
           static_cast<std::uint64_t>(facts.st_blocks) * 512 >= file.size;
}

Worker::Job map_region(std::vector<RegionFile> files,
                       std::function<void(Result<RegionMemory>)> done) {
    auto job = std::make_shared<MapRegion>(std::move(files), std::move(done));
    return [job = std::move(job)] { return job->step(); };
}

}  // namespace causeway::adapter
