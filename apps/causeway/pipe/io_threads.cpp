#include "pipe/io_threads.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace causeway::pipe {
namespace {

constexpr int kPipeBytes = 1 << 20;

// Somebody else may have made the descriptor non-blocking (it is shared with other processes).
void wait_for(int fd, short events) {
    pollfd waiting{fd, events, 0};
    ::poll(&waiting, 1, -1);
}

ssize_t read_some(int fd, std::span<std::byte> into) {
    while (true) {
        const ssize_t n = ::read(fd, into.data(), into.size());
        if (n >= 0 || (errno != EINTR && errno != EAGAIN))
            return n;
        if (errno == EAGAIN)
            wait_for(fd, POLLIN);
    }
}

int write_all(int fd, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n >= 0) {
            bytes = bytes.subspan(static_cast<std::size_t>(n));
        } else if (errno == EAGAIN) {
            wait_for(fd, POLLOUT);
        } else if (errno != EINTR) {
            return errno;
        }
    }
    return 0;
}

}  // namespace

Result<void> Inbox::open() {
    wakeup_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    return wakeup_ ? Result<void>() : fail_errno("eventfd", errno);
}

void Inbox::put(const Returned& item) {
    const std::lock_guard lock(mutex_);
    if (items_.empty()) {
        const std::uint64_t one = 1;
        (void)!::write(wakeup_.get(), &one, sizeof one);
    }
    items_.push_back(item);
}

std::vector<Returned> Inbox::take() {
    const std::lock_guard lock(mutex_);
    if (!items_.empty()) {
        std::uint64_t count = 0;
        (void)!::read(wakeup_.get(), &count, sizeof count);
    }
    return std::exchange(items_, {});
}

void Tray::put(const Handed& item) {
    {
        const std::lock_guard lock(mutex_);
        items_.push_back(item);
    }
    changed_.notify_one();
}

void Tray::close() {
    {
        const std::lock_guard lock(mutex_);
        closed_ = true;
    }
    changed_.notify_one();
}

std::optional<Handed> Tray::take() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || !items_.empty(); });
    if (items_.empty())
        return std::nullopt;
    const Handed item = items_.front();
    items_.pop_front();
    return item;
}

void Reader::start() {
    thread_ = std::thread([this] {
        while (const auto buffer = tray_.take()) {
            const ssize_t n = read_some(fd_, buffer->bytes);
            const int error = n < 0 ? errno : 0;
            inbox_.put({Returned::From::reader, buffer->slot,
                        static_cast<std::size_t>(n < 0 ? 0 : n), error});
            if (n <= 0)
                return;
        }
    });
}

Reader::~Reader() {
    tray_.close();
    if (thread_.joinable())
        thread_.join();
}

void Writer::start() {
    thread_ = std::thread([this] {
        int error = 0;
        while (const auto bytes = tray_.take()) {
            if (error == 0)
                error = write_all(fd_, bytes->bytes);
            inbox_.put(
                {Returned::From::writer, bytes->slot, error == 0 ? bytes->bytes.size() : 0, error});
        }
    });
}

Writer::~Writer() {
    tray_.close();
    if (thread_.joinable())
        thread_.join();
}

void widen_pipe(int fd) {
#ifdef F_SETPIPE_SZ
    (void)::fcntl(fd, F_SETPIPE_SZ, kPipeBytes);
#endif
}

}  // namespace causeway::pipe
