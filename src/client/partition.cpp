#include "client/partition.hpp"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "base/names.hpp"
#include "client/quietly.hpp"
#include "platform/memfd.hpp"

namespace causeway::client {
namespace {

constexpr std::size_t kMostKeptSockets = 64;

}  // namespace

Result<platform::Mapping> map_handed_out(const platform::UniqueFd& memory, std::uint64_t size) {
    CW_TRY_ASSIGN(const platform::FileFacts facts, platform::file_facts(memory.get()));
    CW_TRY_ASSIGN(const unsigned seals, platform::memfd_seals(memory.get()));
    if (facts.size < size || (seals & platform::kSizeSeals) != platform::kSizeSeals) {
        return fail_format(ErrorCode::protocol,
                           "the adapter handed out memory of %llu bytes that is not sealed at %llu "
                           "bytes or more; adapter and library do not fit together",
                           static_cast<unsigned long long>(facts.size),
                           static_cast<unsigned long long>(size));
    }
    CW_TRY_ASSIGN(platform::Mapping mapping, platform::Mapping::map(memory.get(), size));
    CW_TRY(mapping.dont_fork());
    return mapping;
}

Result<std::shared_ptr<Partition>> Partition::attach(const std::string& socket,
                                                     const std::string& name) {
    if (!name.empty())
        CW_TRY(check_name("partition", name));
    CW_TRY_ASSIGN(const ForkGuard guard, ForkGuard::of_this_process());
    CW_TRY_ASSIGN(std::string path, control::fabric_socket_path(socket));
    CW_TRY_ASSIGN(control::Channel channel, control::Channel::connect(path));
    auto partition = std::make_shared<Partition>(guard, std::move(channel), std::move(path));
    CW_TRY(partition->introduce(name));
    return partition;
}

Partition::Partition(ForkGuard guard, control::Channel channel, std::string socket)
    : guard_(guard),
      channel_(std::make_unique<control::Channel>(std::move(channel))),
      socket_(std::move(socket)) {}

Partition::~Partition() {
    if (here()) {
        quietly([this] {
            for (auto& [number, known] : peer_bells_)
                put_away(known.bell->socket());
        });
        for (platform::UniqueFd& kept : kept_sockets_)
            (void)kept.release();  // NOLINT: until the process exits, see put_away()
        return;
    }
    // A forked child: mappings are not there (MADV_DONTFORK), and the numbers of descriptors may
    // stand for others by now.
    (void)channel_.release();  // NOLINT: given up, closing would be by number
    (void)liveness_.release();
    events_.abandon();
    for (auto& mover : movers_) {
        if (mover)
            mover->abandon();
    }
    for (auto& [number, known] : peer_bells_)
        known.bell->abandon();
    for (platform::UniqueFd& kept : kept_sockets_)
        (void)kept.release();  // NOLINT: as above
}

Result<void> Partition::introduce(const std::string& name) {
    liveness_.reset(::fcntl(channel_->fd(), F_DUPFD_CLOEXEC, 0));
    if (!liveness_)
        return fail_errno("duplicate the control connection", errno);

    auto request = control::make<abi::AttachRequest>(abi::Request::attach);
    request.major_least = abi::kMajor;
    request.major_most = abi::kMajor;
    CW_TRY(store_text(request.name, name));
    CW_TRY_ASSIGN(terms_, call<abi::AttachReply>(request));
    if (terms_.major != abi::kMajor) {
        return fail_format(ErrorCode::version,
                           "the adapter speaks protocol version %u, this library %u: update the "
                           "older of the two",
                           terms_.major, abi::kMajor);
    }
    CW_TRY_ASSIGN(const std::string_view known_as, load_text(terms_.name));
    if (known_as.empty()) {
        return fail(ErrorCode::protocol, "the adapter at " + socket_ +
                                             " gave the partition no name: are it and this library "
                                             "of the same release?");
    }
    name_ = known_as;
    CW_TRY_ASSIGN(OpenedDoorbell bell, open_doorbell(abi::DoorbellKind::events, 0));
    return events_.open(std::move(bell.page), std::move(bell.socket), liveness_.get());
}

Result<void> Partition::usable() const {
    if (closed_.load(std::memory_order_acquire)) {
        return fail(ErrorCode::wrong_state, "the partition " + name_ + " is closed");
    }
    if (gone()) {
        return fail(ErrorCode::adapter_gone, "the adapter at " + socket_ +
                                                 " has ended the connection; its log says why; "
                                                 "close the partition and attach anew");
    }
    return {};
}

void Partition::note_gone() noexcept {
    if (gone_.exchange(true, std::memory_order_acq_rel))
        return;
    // The connection may still be open (a reply that broke the protocol): end it for both sides,
    // and for the threads that sleep on it.
    (void)::shutdown(liveness_.get(), SHUT_RDWR);
    events_.stop();
}

void Partition::close() noexcept {
    closed_.store(true, std::memory_order_release);
    // Not the descriptor: threads that still use an object of the partition may be polling it.
    note_gone();
}

Result<OpenedDoorbell> Partition::open_doorbell(abi::DoorbellKind kind, std::uint32_t index) {
    auto request = control::make<abi::OpenDoorbellRequest>(abi::Request::open_doorbell);
    request.kind = static_cast<std::uint32_t>(kind);
    request.index = index;
    platform::UniqueFd memory;
    CW_TRY_ASSIGN(const auto reply, call<abi::OpenDoorbellReply>(request, -1, &memory));
    auto fetch = [&]() -> Result<OpenedDoorbell> {
        OpenedDoorbell opened;
        opened.id = reply.doorbell;
        CW_TRY_ASSIGN(opened.page, map_handed_out(memory, platform::kPage));
        auto wanted = control::make<abi::DoorbellRequest>(abi::Request::wakeup_socket);
        wanted.doorbell = reply.doorbell;
        platform::UniqueFd socket;
        CW_TRY(call_empty(wanted, &socket));
        const bool of_peer =
            kind == abi::DoorbellKind::bell_in || kind == abi::DoorbellKind::bell_out;
        opened.socket = of_peer ? platform::WakeupSocket::from_stranger(std::move(socket))
                                : platform::WakeupSocket(std::move(socket));
        return opened;
    };
    auto opened = fetch();
    if (!opened.has_value())
        close_doorbell(reply.doorbell);
    return opened;
}

void Partition::close_doorbell(std::uint32_t id) noexcept {
    if (gone())
        return;
    auto request = control::make<abi::DoorbellRequest>(abi::Request::close_doorbell);
    request.doorbell = id;
    (void)call_empty(request);  // whatever comes of it, this side has let go
}

Result<WakerBell*> Partition::mover_bell(std::uint32_t index) {
    if (index >= terms_.movers) {
        return fail_format(ErrorCode::protocol, "the adapter named mover %u, but has %u", index,
                           terms_.movers);
    }
    const std::lock_guard lock(movers_lock_);
    if (movers_.size() <= index)
        movers_.resize(index + 1);
    if (!movers_[index]) {
        CW_TRY_ASSIGN(OpenedDoorbell bell, open_doorbell(abi::DoorbellKind::mover, index));
        movers_[index] = std::make_unique<WakerBell>(std::move(bell.page), std::move(bell.socket));
    }
    return movers_[index].get();
}

Result<std::shared_ptr<WakerBell>> Partition::peer_bell(std::uint32_t number) {
    CW_TRY(may_take_sockets());
    forget_hung_up_bells();
    const std::lock_guard lock(peers_lock_);
    if (const auto known = peer_bells_.find(number); known != peer_bells_.end())
        return known->second.bell;
    CW_TRY_ASSIGN(OpenedDoorbell opened, open_doorbell(abi::DoorbellKind::bell_out, number));
    auto bell = std::make_shared<WakerBell>(std::move(opened.page), std::move(opened.socket));
    peer_bells_[number] = {bell, opened.id};
    return bell;
}

void Partition::release_peer_bell(std::shared_ptr<WakerBell> bell) noexcept {
    quietly([&] {
        {
            const std::lock_guard lock(peers_lock_);
            bell.reset();  // under the lock, as all copies of it are made
        }
        forget_hung_up_bells();
    });
}

// Closes the bells of completion queues that are gone and that nobody here rings any more.
void Partition::forget_hung_up_bells() {
    std::vector<PeerBell> gone;
    {
        const std::lock_guard lock(peers_lock_);
        for (auto it = peer_bells_.begin(); it != peer_bells_.end();) {
            PeerBell& known = it->second;
            if (known.bell.use_count() > 1 || !known.bell->hung_up()) {
                ++it;
                continue;
            }
            gone.push_back(std::move(known));
            it = peer_bells_.erase(it);
        }
    }
    for (PeerBell& known : gone) {
        put_away(known.bell->socket());
        close_doorbell(known.doorbell);
    }
}

void Partition::put_away(platform::WakeupSocket& socket) {
    platform::UniqueFd end = socket.retire();
    if (!end)
        return;
    const std::lock_guard lock(peers_lock_);
    kept_sockets_.push_back(std::move(end));
}

Result<void> Partition::may_take_sockets() {
    const std::lock_guard lock(peers_lock_);
    if (kept_sockets_.size() < kMostKeptSockets)
        return {};
    return fail_format(ErrorCode::limit_reached,
                       "direct peers have left descriptors in %zu of their wake-up sockets: no "
                       "more direct connections; connect by executor adapter",
                       kept_sockets_.size());
}

}  // namespace causeway::client
