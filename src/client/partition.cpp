#include "client/partition.hpp"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <utility>

#include "base/names.hpp"
#include "client/quietly.hpp"
#include "client/secret.hpp"
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

Result<std::optional<std::uint64_t>> patience_of_environment() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes the environment
    const char* const text = std::getenv("CAUSEWAY_ADAPTER_PATIENCE");
    if (text == nullptr || *text == '\0')
        return std::optional<std::uint64_t>();
    constexpr std::uint64_t kSecond = 1'000'000'000;
    constexpr std::uint64_t kMostSeconds = 1'000'000'000;
    std::uint64_t seconds = 0;
    std::uint64_t fraction = 0;
    const char* at = text;
    // By hand: strtod() would follow the application's locale.
    for (; *at >= '0' && *at <= '9' && seconds <= kMostSeconds; ++at)
        seconds = 10 * seconds + static_cast<std::uint64_t>(*at - '0');
    bool digits = at != text;
    if (*at == '.') {
        std::uint64_t unit = kSecond;
        for (++at; *at >= '0' && *at <= '9'; ++at, digits = true) {
            unit /= 10;
            fraction += unit * static_cast<std::uint64_t>(*at - '0');
        }
    }
    if (*at != '\0' || !digits || seconds > kMostSeconds) {
        return fail_format(ErrorCode::invalid_argument,
                           "CAUSEWAY_ADAPTER_PATIENCE is \"%s\": set it to seconds, such as 10, "
                           "0.5, or 0 for none",
                           text);
    }
    return std::optional(seconds * kSecond + fraction);
}

Result<std::shared_ptr<Partition>> Partition::attach(const std::string& socket,
                                                     const std::string& name,
                                                     std::optional<std::uint64_t> patience_ns) {
    if (!name.empty())
        CW_TRY(check_name("partition", name));
    if (!patience_ns) {
        CW_TRY_ASSIGN(patience_ns, patience_of_environment());
    }
    CW_TRY_ASSIGN(const ForkGuard guard, ForkGuard::of_this_process());
    CW_TRY_ASSIGN(std::string path, control::fabric_socket_path(socket));
    CW_TRY_ASSIGN(control::Channel channel, control::Channel::connect(path));
    auto partition = std::make_shared<Partition>(guard, std::move(channel), std::move(path));
    CW_TRY(partition->introduce(name, patience_ns.value_or(kAdapterPatienceNs)));
    return partition;
}

Partition::Partition(ForkGuard guard, control::Channel channel, std::string socket)
    : guard_(guard), attachment_(std::move(channel), std::move(socket), events_) {}

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
    attachment_.abandon();
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

Result<void> Partition::introduce(const std::string& name, std::uint64_t patience_ns) {
    CW_TRY(attachment_.open());
    auto request = control::make<abi::AttachRequest>(abi::Request::attach);
    CW_TRY(bring_secret(request));
    request.major_least = abi::kMajor;
    request.major_most = abi::kMajor;
    request.features = patience_ns != 0 ? abi::feature::kReturns : 0;
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
        return fail(ErrorCode::protocol, "the adapter at " + socket() +
                                             " gave the partition no name: are it and this library "
                                             "of the same release?");
    }
    name_ = known_as;
    const bool has_token = std::any_of(std::begin(terms_.token), std::end(terms_.token),
                                       [](std::uint8_t byte) { return byte != 0; });
    if (has_token && patience_ns != 0) {
        Identity identity;
        identity.session = terms_.session;
        std::copy(std::begin(terms_.token), std::end(terms_.token), std::begin(identity.token));
        identity.name = name;
        CW_TRY(attachment_.survive(std::move(identity), patience_ns));
    }
    attachment_.set_movers(terms_.movers);
    CW_TRY_ASSIGN(OpenedDoorbell bell, open_doorbell(abi::DoorbellKind::events, 0));
    const std::uint32_t id = bell.id;
    const int socket = bell.socket.fd();
    CW_TRY(events_.open(std::move(bell.page), std::move(bell.socket), attachment_.liveness()));
    if (attachment_.survives())
        CW_TRY(events_.also_watch(attachment_.pulse()));
    return attachment_.watch(id, socket, events_.event_fd());
}

void Partition::close() noexcept { attachment_.close(); }

EventWaiter::Waited Partition::await_event(std::uint32_t ticket, std::uint64_t limit_ns) noexcept {
    const Moment moment = attachment_.now();
    switch (moment.standing()) {
        case Standing::here: {
            const auto waited = events_.wait(ticket, limit_ns);
            if (waited != EventWaiter::Waited::adapter_gone)
                return waited;
            attachment_.note_lost(moment);
            break;
        }
        case Standing::away:
            attachment_.drive();
            if (attachment_.standing() == Standing::away)
                attachment_.nap({}, limit_ns);
            break;
        case Standing::gone:
            break;
    }
    return gone() ? EventWaiter::Waited::adapter_gone : EventWaiter::Waited::changed;
}

void Partition::process_events() noexcept {
    const Moment moment = attachment_.now();
    if (events_.process() == EventWaiter::Processed::adapter_gone)
        attachment_.note_lost(moment);
    attachment_.drive();
}

void Partition::look_at_events() noexcept {
    const Moment moment = attachment_.now();
    if (events_.look() == EventWaiter::Processed::adapter_gone)
        attachment_.note_lost(moment);
    attachment_.drive();
}

Result<OpenedDoorbell> Partition::open_doorbell(abi::DoorbellKind kind, std::uint32_t index) {
    auto request = control::make<abi::OpenDoorbellRequest>(abi::Request::open_doorbell);
    request.kind = static_cast<std::uint32_t>(kind);
    request.index = index;
    const bool of_peer = kind == abi::DoorbellKind::bell_in || kind == abi::DoorbellKind::bell_out;
    return attachment_.transact([&](control::Channel& channel) -> Result<OpenedDoorbell> {
        OpenedDoorbell opened;
        platform::UniqueFd memory;
        CW_TRY_ASSIGN(const auto reply, channel.call<abi::OpenDoorbellReply>(request, -1, &memory));
        opened.id = reply.doorbell;
        opened.epoch = attachment_.now().epoch();
        auto fetch = [&]() -> Result<void> {
            CW_TRY_ASSIGN(opened.page, map_handed_out(memory, platform::kPage));
            auto wanted = control::make<abi::DoorbellRequest>(abi::Request::wakeup_socket);
            wanted.doorbell = reply.doorbell;
            platform::UniqueFd socket;
            CW_TRY(channel.call_empty(wanted, -1, &socket));
            opened.socket = of_peer ? platform::WakeupSocket::from_stranger(std::move(socket))
                                    : platform::WakeupSocket(std::move(socket));
            return {};
        };
        if (auto fetched = fetch(); !fetched.has_value()) {
            auto close = control::make<abi::DoorbellRequest>(abi::Request::close_doorbell);
            close.doorbell = reply.doorbell;
            if (channel.open())
                (void)channel.call_empty(close);  // whatever comes of it, this side has let go
            return tl::unexpected<Error>(std::move(fetched).error());
        }
        if (!of_peer) {
            attachment_.keep(HeldDoorbell{.id = opened.id,
                                          .page = std::move(memory),
                                          .socket = opened.socket.fd(),
                                          .set = -1,
                                          .fresh = {},
                                          .rings = kind == abi::DoorbellKind::mover});
        }
        return opened;
    });
}

void Partition::close_doorbell(std::uint32_t id) noexcept {
    close_peer_doorbell(id, Attachment::kAnyEpoch);
}

void Partition::close_peer_doorbell(std::uint32_t id, std::uint32_t epoch) noexcept {
    quietly([&] {
        auto request = control::make<abi::DoorbellRequest>(abi::Request::close_doorbell);
        request.doorbell = id;
        // Whatever comes of it, this side has let go.
        (void)attachment_.give_back(
            Kind::doorbell, id,
            [&](control::Channel& channel) { return channel.call_empty(request); }, epoch);
    });
}

Result<WakerBell*> Partition::mover_bell(std::uint32_t index) {
    if (index >= attachment_.movers()) {
        return fail_format(ErrorCode::protocol, "the adapter named mover %u, but has %u", index,
                           attachment_.movers());
    }
    const std::lock_guard lock(movers_lock_);
    if (movers_.size() <= index)
        movers_.resize(index + 1);
    if (!movers_[index]) {
        auto bell = std::make_unique<WakerBell>();  // before there is something to give back
        CW_TRY_ASSIGN(OpenedDoorbell opened, open_doorbell(abi::DoorbellKind::mover, index));
        bell->open(std::move(opened.page), std::move(opened.socket));
        movers_[index] = std::move(bell);
    }
    return movers_[index].get();
}

Result<std::shared_ptr<WakerBell>> Partition::peer_bell(std::uint32_t number) {
    CW_TRY(may_take_sockets());
    forget_hung_up_bells();
    const std::lock_guard opening(bell_opening_lock_);
    const std::uint32_t epoch = attachment_.now().epoch();
    {
        const std::lock_guard lock(peers_lock_);
        if (const auto known = peer_bells_.find({epoch, number}); known != peer_bells_.end())
            return known->second.bell;
    }
    auto bell = std::make_shared<WakerBell>();
    // Without peers_lock_: it may take until the adapter is back.
    CW_TRY_ASSIGN(OpenedDoorbell opened, open_doorbell(abi::DoorbellKind::bell_out, number));
    bell->open(std::move(opened.page), std::move(opened.socket));
    const std::lock_guard lock(peers_lock_);
    peer_bells_[{opened.epoch, number}] = {bell, opened.id};
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
    std::vector<std::pair<std::uint32_t, PeerBell>> gone;  // with the epoch
    {
        const std::lock_guard lock(peers_lock_);
        for (auto it = peer_bells_.begin(); it != peer_bells_.end();) {
            PeerBell& known = it->second;
            if (known.bell.use_count() > 1 || !known.bell->hung_up()) {
                ++it;
                continue;
            }
            gone.emplace_back(it->first.first, std::move(known));
            it = peer_bells_.erase(it);
        }
    }
    for (auto& [epoch, known] : gone) {
        put_away(known.bell->socket());
        close_peer_doorbell(known.doorbell, epoch);
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
