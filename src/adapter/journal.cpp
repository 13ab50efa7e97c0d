#include "adapter/journal.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "platform/files.hpp"

namespace causeway::adapter {
namespace {

constexpr std::uint64_t kMagic = 0x314c4e524a574143;  // "CAWJRNL1"
constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kMost = std::uint64_t{1} << 30;    // bytes: two million cells
constexpr std::uint64_t kStep = std::uint64_t{256} << 10;  // bytes by which the file grows

// Cell 0.
struct Header {
    std::uint64_t magic;  // written last
    std::uint32_t version;
    std::uint32_t reserved;
    char boot[40];
    JournalNumbers numbers;
};
static_assert(sizeof(Header) <= kCellSize);

// Memory files do not survive a boot; their numbers come again.
[[nodiscard]] std::string boot_id() {
    std::string id = platform::read_small_file("/proc/sys/kernel/random/boot_id").value_or("");
    id.resize(std::min(id.size(), sizeof Header::boot - 1));
    return id;
}

// Why the file cannot be gone on with; empty: it can.
[[nodiscard]] std::string unfit(const struct stat& facts) {
    if (!S_ISREG(facts.st_mode) || facts.st_nlink != 1)
        return "it is no plain file of its own";
    if (facts.st_uid != ::geteuid() || (facts.st_mode & 0077) != 0)
        return fmt::format("it is of user {} with mode {:04o}", facts.st_uid,
                           facts.st_mode & 07777);
    if (facts.st_size <= 0 || static_cast<std::uint64_t>(facts.st_size) > kMost ||
        facts.st_size % kCellSize != 0)
        return fmt::format("it has {} bytes", facts.st_size);
    return {};
}

[[nodiscard]] std::string unfit(const Header& header) {
    if (header.magic != kMagic)
        return "it was not finished";
    if (header.version != kVersion)
        return fmt::format("it has format {}, this daemon knows {}", header.version, kVersion);
    if (std::strncmp(header.boot, boot_id().c_str(), sizeof header.boot) != 0)
        return "it is of an earlier boot";
    return {};
}

[[nodiscard]] Result<platform::UniqueFd> open_file(int directory, int more) {
    platform::UniqueFd file(::openat(directory, kJournalName,
                                     O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | more, 0600));
    if (!file)
        return fail_errno("open the journal in the runtime directory", errno);
    return file;
}

}  // namespace

JournalNumbers& Journal::numbers() noexcept { return range_.at<Header>()->numbers; }

Result<std::unique_ptr<Journal>> Journal::open(int directory, std::string& complaint) {
    struct stat facts {};
    if (::fstatat(directory, kJournalName, &facts, AT_SYMLINK_NOFOLLOW) == 0) {
        std::string why = unfit(facts);
        if (why.empty()) {
            CW_TRY_ASSIGN(auto file, open_file(directory, 0));
            CW_TRY_ASSIGN(auto range, platform::Mapping::reserve(kMost));
            std::unique_ptr<Journal> found(new Journal(std::move(file), std::move(range)));
            CW_TRY(found->grow_to(static_cast<std::uint64_t>(facts.st_size)));
            why = unfit(*found->range_.at<Header>());
            if (why.empty())
                return found;
        }
        complaint = fmt::format("the journal that an earlier daemon left is not used: {}", why);
        if (::unlinkat(directory, kJournalName, 0) != 0)
            return fail_errno("remove the old journal from the runtime directory", errno);
    } else if (errno != ENOENT) {
        return fail_errno("look at the journal in the runtime directory", errno);
    }
    CW_TRY_ASSIGN(auto file, open_file(directory, O_CREAT | O_EXCL));
    CW_TRY_ASSIGN(auto range, platform::Mapping::reserve(kMost));
    std::unique_ptr<Journal> made(new Journal(std::move(file), std::move(range)));
    CW_TRY(made->grow_to(kStep));
    auto* header = made->range_.at<Header>();
    header->version = kVersion;
    std::strncpy(header->boot, boot_id().c_str(), sizeof header->boot - 1);
    __atomic_store_n(&header->magic, kMagic, __ATOMIC_RELEASE);
    return made;
}

Result<std::unique_ptr<Journal>> Journal::in_memory() {
    CW_TRY_ASSIGN(auto range, platform::Mapping::reserve(kMost));
    std::unique_ptr<Journal> made(new Journal({}, std::move(range)));
    made->memory_.reset(::memfd_create("causeway-journal", MFD_CLOEXEC));
    if (!made->memory_)
        return fail_errno("memfd_create for the journal", errno);
    CW_TRY(made->grow_to(kStep));
    return made;
}

// The room is had before it is mapped.
Result<void> Journal::grow_to(std::uint64_t size) {
    const std::uint64_t now = cells_ * kCellSize;
    const int fd = file_ ? file_.get() : memory_.get();
    int error = 0;
    do {
        error = ::posix_fallocate(fd, static_cast<off_t>(now), static_cast<off_t>(size - now));
    } while (error == EINTR);
    if (error != 0) {
        return fail(ErrorCode::no_memory,
                    fmt::format("the journal in the runtime directory cannot grow to {} bytes: {}: "
                                "make room there",
                                size, std::strerror(error)));  // NOLINT(concurrency-mt-unsafe)
    }
    CW_TRY(range_.place(now, fd, now, size - now));
    const std::size_t cells = size / kCellSize;
    for (std::size_t i = cells; i-- > std::max<std::size_t>(cells_, 1);) {
        if (cell(i)->kind.load(std::memory_order_relaxed) == 0)
            free_.push_back(static_cast<std::uint32_t>(i));
    }
    cells_ = cells;
    return {};
}

Result<CellHead*> Journal::take() {
    if (free_.empty()) {
        if (cells_ * kCellSize + kStep > kMost)
            return fail(ErrorCode::limit_reached,
                        fmt::format("the journal has {} entries, as many as it can hold", cells_));
        CW_TRY(grow_to(cells_ * kCellSize + kStep));
    }
    const std::uint32_t i = free_.back();
    free_.pop_back();
    return cell(i);
}

void Journal::give_back(CellHead& head) noexcept {
    head.kind.store(0, std::memory_order_release);
    const auto offset = reinterpret_cast<std::byte*>(&head) - range_.data();
    free_.push_back(static_cast<std::uint32_t>(static_cast<std::size_t>(offset) / kCellSize));
}

}  // namespace causeway::adapter
