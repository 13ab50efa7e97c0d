#include "client/peer_bells.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "client/quietly.hpp"

namespace causeway::client {
namespace {

[[nodiscard]] Result<void> watch(int poll, int socket, void* who) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = who;
    if (::epoll_ctl(poll, EPOLL_CTL_ADD, socket, &event) != 0)
        return fail_errno("epoll_ctl for a completion queue", errno);
    return {};
}

}  // namespace

Result<void> PeerBells::open(int pulse) {
    poll_.reset(::epoll_create1(EPOLL_CLOEXEC));
    if (!poll_)
        return fail_errno("epoll_create1 for a completion queue", errno);
    return pulse < 0 ? Result<void>() : watch(poll_.get(), pulse, this);
}

Result<BellShare> PeerBells::add(Partition& partition, std::uint32_t number) {
    const std::uint32_t epoch = partition.adapter().now().epoch();
    for (auto& bell : bells_) {
        if (bell->known_as == BellShare{epoch, number}) {
            ++bell->shares;
            return bell->known_as;
        }
    }
    CW_TRY(partition.may_take_sockets());
    forget_hung_up(partition);
    CW_TRY_ASSIGN(OpenedDoorbell opened,
                  partition.open_doorbell(abi::DoorbellKind::bell_in, number));
    auto bell = std::make_unique<Bell>();
    bell->known_as = {opened.epoch, number};
    bell->doorbell = opened.id;
    bell->shares = 1;
    bell->page = std::move(opened.page);
    bell->socket = std::move(opened.socket);
    bell->layout = bell->page.at<abi::DoorbellLayout>();
    bell->waiter = shm::DoorbellWaiter(bell->layout);
    CW_TRY(watch(poll_.get(), bell->socket.fd(), bell.get()));
    bells_.push_back(std::move(bell));
    return bells_.back()->known_as;
}

void PeerBells::remove(Partition& partition, BellShare share) noexcept {
    const auto found = std::find_if(bells_.begin(), bells_.end(),
                                    [&](const auto& bell) { return bell->known_as == share; });
    if (found == bells_.end() || --(*found)->shares != 0)
        return;
    quietly([&] { forget_hung_up(partition); });
}

// Closes the bells of peers that are gone, as far as no connection has a share in them.
void PeerBells::forget_hung_up(Partition& partition) {
    for (std::size_t i = bells_.size(); i-- > 0;) {
        if (bells_[i]->shares != 0 || !bells_[i]->socket.hung_up())
            continue;
        const auto bell = std::move(bells_[i]);
        bells_.erase(bells_.begin() + static_cast<std::ptrdiff_t>(i));
        end(partition, *bell);
    }
}

void PeerBells::end(Partition& partition, Bell& bell) {
    (void)::epoll_ctl(poll_.get(), EPOLL_CTL_DEL, bell.socket.fd(), nullptr);
    partition.put_away(bell.socket);
    partition.close_peer_doorbell(bell.doorbell, bell.known_as.epoch);
}

void PeerBells::close(Partition& partition) noexcept {
    auto bells = std::move(bells_);
    for (const auto& bell : bells)
        quietly([&] { end(partition, *bell); });
}

void PeerBells::abandon() noexcept {
    (void)poll_.release();
    for (auto& bell : bells_) {
        (void)bell->page.release();
        (void)bell->socket.release().release();
    }
}

bool PeerBells::rung() const noexcept {
    return std::any_of(bells_.begin(), bells_.end(),
                       [](const auto& bell) { return bell->waiter.rung(); });
}

void PeerBells::announce_sleep() noexcept {
    for (auto& bell : bells_)
        bell->layout->asleep.store(1, std::memory_order_relaxed);
}

void PeerBells::announce_awake() noexcept {
    for (auto& bell : bells_)
        bell->waiter.announce_awake();
}

bool PeerBells::drain() noexcept {
    bool adapters = false;
    std::array<epoll_event, 32> events;
    const int n = ::epoll_wait(poll_.get(), events.data(), events.size(), 0);
    for (int i = 0; i < n; ++i) {
        auto* bell = static_cast<Bell*>(events[static_cast<std::size_t>(i)].data.ptr);
        if (bell == nullptr) {
            adapters = true;
            continue;
        }
        if (events[static_cast<std::size_t>(i)].data.ptr == this)
            continue;  // the pulse
        // A peer that has gone would show as readable for ever; the adapter says what it means.
        if (bell->socket.drain() == platform::WakeupSocket::Drained::peer_gone) {
            (void)::epoll_ctl(poll_.get(), EPOLL_CTL_DEL, bell->socket.fd(), nullptr);
            bell->hung_up = true;
        }
    }
    return adapters;
}

bool PeerBells::hung_up(BellShare share) const noexcept {
    return std::any_of(bells_.begin(), bells_.end(),
                       [&](const auto& bell) { return bell->hung_up && bell->known_as == share; });
}

void PeerBells::leave(int file) noexcept {
    if (file >= 0)
        (void)::epoll_ctl(poll_.get(), EPOLL_CTL_DEL, file, nullptr);
}

std::size_t PeerBells::sockets(int adapter_socket,
                               std::span<int, kMostSockets + 1> out) const noexcept {
    std::size_t count = 0;
    out[count++] = adapter_socket;
    for (const auto& bell : bells_) {
        if (bell->hung_up)
            continue;
        if (count == out.size()) {
            out[0] = poll_.get();
            return 1;
        }
        out[count++] = bell->socket.fd();
    }
    return count;
}

}  // namespace causeway::client
