#include "adapter/segments.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <set>
#include <utility>

#include "adapter/handed_back.hpp"
#include "base/names.hpp"
#include "platform/files.hpp"
#include "platform/memfd.hpp"

namespace causeway::adapter {
namespace {

constexpr std::uint64_t kStep = std::uint64_t{64} << 20;  // bytes filled in one step of the worker
constexpr unsigned kSegmentSeals = platform::kSizeSeals | F_SEAL_SEAL;

// The permitted capabilities of a process: all that it could make effective.
[[nodiscard]] bool surely_without_capabilities(pid_t pid) {
    constexpr std::string_view kField = "CapPrm:\t";
    const auto text = platform::read_small_file(fmt::format("/proc/{}/status", pid).c_str());
    const std::size_t at = text ? text->find(kField) : std::string::npos;
    if (at == std::string::npos)
        return false;
    const char* const begin = text->data() + at + kField.size();
    std::uint64_t capabilities = 1;
    const auto parsed = std::from_chars(begin, text->data() + text->size(), capabilities, 16);
    return parsed.ec == std::errc() && capabilities == 0;
}

[[nodiscard]] Result<platform::UniqueFd> open_again(const platform::UniqueFd& file, int flags) {
    const std::string path = fmt::format("/proc/self/fd/{}", file.get());
    platform::UniqueFd opened(::open(path.c_str(), flags | O_CLOEXEC));
    if (!opened)
        return fail_errno_format(errno, "open the memory of a segment again by %s", path.c_str());
    return opened;
}

class MakeSegment {
public:
    MakeSegment(std::string name, std::uint64_t size, std::shared_ptr<SegmentMemory> memory,
                std::function<void(Result<void>)> done)
        : name_(std::move(name)), size_(size), memory_(std::move(memory)), done_(std::move(done)) {}

    Worker::Progress step() {
        Result<void> made = filled_ == 0 ? begin() : Result<void>();
        if (made) {
            const std::uint64_t length = std::min(kStep, size_ - filled_);
            made = memory_->mapping.populate_write(filled_, length);
            filled_ += length;
        }
        if (made && filled_ < size_)
            return Worker::Progress::more;
        if (!made)
            memory_->mapping.reset();
        done_(std::move(made));
        return Worker::Progress::finished;
    }

private:
    Result<void> begin() {
        if (!memory_->file)
            CW_TRY(make_file());
        const std::uint64_t alignment =
            size_ >= platform::kHugePage ? platform::kHugePage : platform::kPage;
        CW_TRY_ASSIGN(memory_->mapping, platform::Mapping::reserve(size_, alignment));
        return memory_->mapping.place(0, memory_->file.get(), 0, size_);
    }
    Result<void> make_file() {
        const std::string label = "causeway-segment-" + name_;
        CW_TRY_ASSIGN(platform::UniqueFd file, platform::create_memfd(label.c_str(), size_, 0));
        // Before anybody else has it.
        if (::fchmod(file.get(), 0600) != 0)
            return fail_errno("make the memory of a segment the adapter's alone", errno);
        CW_TRY(platform::add_seals(file.get(), kSegmentSeals));
        CW_TRY_ASSIGN(memory_->key, journaled(file));
        memory_->file = std::move(file);
        return {};
    }

    const std::string name_;
    const std::uint64_t size_;
    std::shared_ptr<SegmentMemory> memory_;
    std::function<void(Result<void>)> done_;
    std::uint64_t filled_ = 0;
};

}  // namespace

Result<void> check_segments(const std::vector<config::Segment>& segments) {
    std::set<std::string_view> names;
    for (const config::Segment& segment : segments) {
        CW_TRY(check_name("segment", segment.name));
        if (!names.insert(segment.name).second) {
            return fail(ErrorCode::invalid_argument,
                        fmt::format("segment '{}' is there twice: take another name for one of "
                                    "them",
                                    segment.name));
        }
        if (segment.size == 0 || segment.size % platform::kPage != 0 ||
            segment.size > abi::kMaxRegion) {
            return fail(ErrorCode::invalid_argument,
                        fmt::format("segment '{}' of {} bytes: the size must be a multiple of {}, "
                                    "at least that, and at most {}",
                                    segment.name, segment.size, platform::kPage, abi::kMaxRegion));
        }
    }
    return {};
}

Result<void> may_open(const config::Segment& segment, std::string_view partition,
                      abi::SegmentAccess wanted) {
    switch (config::access_of(segment, partition)) {
        case config::SegmentAccess::write:
            return {};
        case config::SegmentAccess::read:
            if (wanted == abi::SegmentAccess::read)
                return {};
            return fail(ErrorCode::denied,
                        fmt::format("segment '{}': partition '{}' is among its readers only: open "
                                    "it to read, or add '{}' to the writers of [segment.{}]",
                                    segment.name, partition, partition, segment.name));
        case config::SegmentAccess::none:
            break;
    }
    return fail(ErrorCode::denied,
                fmt::format("segment '{}': no rule: partition '{}' is neither among its readers "
                            "nor its writers: add it there in [segment.{}]",
                            segment.name, partition, segment.name));
}

bool maps_user(std::string_view uid_map, uid_t uid) {
    // Lines of: first inside, first outside, how many.
    std::size_t lines = 0;
    for (; !uid_map.empty(); ++lines) {
        std::string_view line = platform::next_token(uid_map, '\n');
        std::uint64_t fields[3]{};
        for (std::uint64_t& field : fields) {
            line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
            const auto number = platform::leading_number(platform::next_token(line, ' '));
            if (!number)
                return true;
            field = *number;
        }
        if (uid >= fields[1] && uid - fields[1] < fields[2])
            return true;
    }
    return lines == 0;
}

std::string why_copies(const platform::Credentials& credentials) {
    if (credentials.uid == ::geteuid())
        return "it has the adapter's own uid";
    if (credentials.uid == 0)
        return "it is root";
    if (credentials.uid == platform::kOverflowId || credentials.pid <= 0)
        return "its user or process is not to be seen from the adapter's namespaces";
    const auto own = platform::read_small_file("/proc/self/uid_map");
    const auto map =
        platform::read_small_file(fmt::format("/proc/{}/uid_map", credentials.pid).c_str());
    if (!own || !map)
        return "its user namespace is not to be seen";
    if (*map != *own)
        return maps_user(*map, ::geteuid()) ? "its user namespace has the adapter's user" : "";
    if (!surely_without_capabilities(credentials.pid))
        return "it has capabilities";
    return {};
}

Result<platform::UniqueFd> open_to_read(const platform::UniqueFd& file) {
    return open_again(file, O_RDONLY);
}

Result<std::shared_ptr<SegmentMemory>> take_back_segment(const platform::UniqueFd& file,
                                                         const JournaledFile& known,
                                                         std::uint64_t size) {
    if (!file)
        return fail(ErrorCode::invalid_argument, "the memory file must come along (SCM_RIGHTS)");
    const int flags = ::fcntl(file.get(), F_GETFL);
    if (flags < 0 || (flags & O_PATH) != 0)
        return fail(ErrorCode::invalid_argument, "the descriptor only names a file (O_PATH)");
    CW_TRY(platform::require_seals(file.get(), kSegmentSeals, F_SEAL_WRITE | F_SEAL_FUTURE_WRITE));
    CW_TRY_ASSIGN(const platform::FileFacts facts, platform::file_facts(file.get()));
    if (!same_file({facts.device, facts.inode}, known) || facts.size != size ||
        facts.uid != ::geteuid() || (facts.mode & 07777) != 0600) {
        return fail(ErrorCode::denied,
                    "this is not the memory that the journal knows under that number");
    }
    auto memory = std::make_shared<SegmentMemory>();
    CW_TRY_ASSIGN(memory->file, open_again(file, O_RDWR));
    memory->key = known;
    return memory;
}

Worker::Job make_segment(std::string name, std::uint64_t size,
                         std::shared_ptr<SegmentMemory> memory,
                         std::function<void(Result<void>)> done) {
    auto job =
        std::make_shared<MakeSegment>(std::move(name), size, std::move(memory), std::move(done));
    return [job = std::move(job)] { return job->step(); };
}

}  // namespace causeway::adapter
