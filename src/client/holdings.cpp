#include "client/holdings.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace causeway::client {

Result<void> add_to_set(int set, int socket) noexcept {
    epoll_event want{};
    want.events = EPOLLIN;  // and no data: the sets of this library know their other members by it
    if (::epoll_ctl(set, EPOLL_CTL_ADD, socket, &want) == 0 || errno == EEXIST)
        return {};
    return fail_errno("watch a wake-up socket", errno);
}

Result<void> replace_file(int fresh, int number) noexcept {
    // EBUSY: between another thread's reservation of a number and its use.
    while (::dup3(fresh, number, O_CLOEXEC) < 0) {
        if (errno != EINTR && errno != EBUSY)
            return fail_errno("put a new socket in an old one's place", errno);
    }
    return {};
}

void Holdings::drop(Kind kind, std::uint32_t id) noexcept {
    switch (kind) {
        case Kind::doorbell:
            std::erase_if(doorbells_, [&](const auto& held) { return held.id == id; });
            break;
        case Kind::region:
            std::erase_if(regions_, [&](const auto& held) { return held.handle == id; });
            break;
        case Kind::queue_pair:
            std::erase_if(queue_pairs_, [&](const auto& held) { return held.id == id; });
            break;
        case Kind::segment:
            std::erase_if(segments_, [&](const auto& held) { return held.id == id; });
            break;
        case Kind::listener:
            break;  // the adapter's journal has all there is to one
    }
}

HeldDoorbell* Holdings::doorbell(std::uint32_t id) noexcept {
    const auto found = std::find_if(doorbells_.begin(), doorbells_.end(),
                                    [&](const auto& held) { return held.id == id; });
    return found == doorbells_.end() ? nullptr : &*found;
}

const HeldRegion* Holdings::region(std::uint32_t handle) const noexcept {
    const auto found = std::find_if(regions_.begin(), regions_.end(),
                                    [&](const auto& held) { return held.handle == handle; });
    return found == regions_.end() ? nullptr : &*found;
}

const HeldQueuePair* Holdings::queue_pair(std::uint32_t id) const noexcept {
    const auto found = std::find_if(queue_pairs_.begin(), queue_pairs_.end(),
                                    [&](const auto& held) { return held.id == id; });
    return found == queue_pairs_.end() ? nullptr : &*found;
}

const HeldSegment* Holdings::segment(std::uint32_t id) const noexcept {
    const auto found = std::find_if(segments_.begin(), segments_.end(),
                                    [&](const auto& held) { return held.id == id; });
    return found == segments_.end() ? nullptr : &*found;
}

Result<void> Holdings::watch(std::uint32_t id, int set, bool alive) noexcept {
    HeldDoorbell* const held = doorbell(id);
    if (held == nullptr)
        return {};
    held->set = set;
    if (!alive) {
        (void)::epoll_ctl(set, EPOLL_CTL_DEL, held->socket, nullptr);
        return {};
    }
    return add_to_set(set, held->socket);
}

// Not left to the closing of the sockets: a forked child may have them open, too.
void Holdings::leave_sets() noexcept {
    for (const HeldDoorbell& held : doorbells_) {
        if (held.set >= 0)
            (void)::epoll_ctl(held.set, EPOLL_CTL_DEL, held.socket, nullptr);
    }
}

Result<void> Holdings::renew_sockets() noexcept {
    for (HeldDoorbell& held : doorbells_) {
        if (!held.fresh)
            continue;
        CW_TRY(replace_file(held.fresh.get(), held.socket));
        if (held.set >= 0)
            CW_TRY(add_to_set(held.set, held.socket));
        if (held.rings)
            (void)::send(held.socket, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    drop_fresh();
    return {};
}

void Holdings::drop_fresh() noexcept {
    for (HeldDoorbell& held : doorbells_)
        held.fresh.reset();
}

void Holdings::abandon() noexcept {
    for (HeldDoorbell& held : doorbells_) {
        (void)held.page.release();
        (void)held.fresh.release();
    }
    for (HeldQueuePair& held : queue_pairs_)
        (void)held.memory.release();
    for (HeldSegment& held : segments_)
        (void)held.memory.release();
}

}  // namespace causeway::client
