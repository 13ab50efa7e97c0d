#include "support/fake_adapter.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstring>
#include <new>
#include <utility>

#include "base/names.hpp"
#include "platform/memfd.hpp"
#include "platform/socket.hpp"

namespace causeway::test {

namespace {

constexpr unsigned kSeals = platform::kSizeSeals | F_SEAL_SEAL;
constexpr std::uint8_t kToken = 0x5a;

[[nodiscard]] ino_t inode_of(int file) {
    struct stat facts {};
    return ::fstat(file, &facts) == 0 ? facts.st_ino : 0;
}

}  // namespace

FakeBell::FakeBell() {
    page_fd = platform::create_memfd("fake-bell", platform::kPage, kSeals).value();
    page_ = platform::Mapping::map(page_fd.get(), platform::kPage).value();
    ::new (page_.data()) abi::DoorbellLayout{};
    auto ends = platform::WakeupSocket::make_pair().value();
    socket_ = std::move(ends.first);
    peer_end = ends.second.release();
}

void FakeBell::renew() {
    auto ends = platform::WakeupSocket::make_pair().value();
    socket_ = std::move(ends.first);
    peer_end = ends.second.release();
}

FakeEnd::FakeEnd(const abi::QueuePairShape& shape, std::shared_ptr<FakeBell> completions_bell,
                 std::shared_ptr<FakeBell> events_bell, std::uint32_t bit)
    : completions(std::move(completions_bell)), events(std::move(events_bell)), ready_bit(bit) {
    const std::uint64_t size = abi::queue_pair_offsets(shape).total;
    memory = platform::create_memfd("fake-qp", size, kSeals).value();
    mapping = platform::Mapping::map(memory.get(), size).value();
    auto* header = ::new (mapping.data()) abi::QueuePairLayout{};
    header->magic = abi::kQueuePairMagic;
    header->major = abi::kMajor;
    view = shm::QueuePairView(mapping.data(), shape);
    sends = view.send_consumer();
    receives = view.receive_consumer();
    send_completions = view.send_completer();
    receive_completions = view.receive_completer();
}

void FakeEnd::set_state(abi::QueuePairState state, abi::Error reason) {
    // Said before `connected`, as abi/queue_pair.hpp demands.
    layout().executor.store(static_cast<std::uint32_t>(executor), std::memory_order_relaxed);
    layout().reason.store(static_cast<std::uint32_t>(reason), std::memory_order_relaxed);
    layout().state.store(static_cast<std::uint32_t>(state), std::memory_order_release);
    completions->ring(ready_bit);
    events->ring(static_cast<std::uint32_t>(abi::DoorbellEvent::queue_pair_changed));
}

void FakeEnd::complete_send(const abi::Completion& completion) {
    send_completions.publish(completion);
    notify();
}

void FakeEnd::complete_receive(const abi::Completion& completion) {
    receive_completions.publish(completion);
    notify();
}

// As adapter/end.cpp does.
void FakeEnd::notify() {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (layout().polled.load(std::memory_order_relaxed) == 0) {
        completions->ring(ready_bit);
    } else {
        completions->wake_if_asleep();
    }
}

abi::Completion FakeEnd::success(abi::Opcode opcode, std::uint32_t slot, std::uint32_t length) {
    abi::Completion c{};
    c.opcode = static_cast<std::uint8_t>(opcode);
    c.slot = slot;
    c.length = length;
    return c;
}

bool FakeEnd::take_send(abi::Descriptor& out, std::uint32_t& slot) {
    slot = sends.next_slot();
    if (!sends.peek(out))
        return false;
    sends.advance();
    return true;
}

bool FakeEnd::take_receive(abi::Descriptor& out, std::uint32_t& slot) {
    slot = receives.next_slot();
    if (!receives.peek(out))
        return false;
    receives.advance();
    return true;
}

FakeGrant::FakeGrant(std::uint64_t size, std::uint32_t rights) {
    for (std::uint64_t at = 0; at < size; at += abi::kRegionPart) {
        const std::uint64_t length = std::min(abi::kRegionPart, size - at);
        parts.push_back(
            platform::create_memfd("fake-region", length, platform::kSizeSeals).value());
    }
    terms.size = size;
    terms.address = 0x10000;
    terms.generation = 7;
    terms.rights = rights;
    terms.parts = static_cast<std::uint32_t>(parts.size());
    terms.network_id = 3;
}

FakeAdapter::FakeAdapter()
    : listener_(platform::listen_at(directory_ / "fabric.sock", 0600).value()),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      thread_([this] { run(); }) {}

FakeAdapter::~FakeAdapter() { die(); }

void FakeAdapter::die() {
    if (!thread_.joinable())
        return;
    (void)::eventfd_write(stop_.get(), 1);
    thread_.join();
    const std::lock_guard lock(lock_);
    listener_.reset();
    sessions_.clear();
    for (auto& [session, bells] : journal_) {
        for (auto& bell : bells)
            bell->socket() = {};
    }
}

void FakeAdapter::start_again() {
    listener_ = platform::listen_at(directory_ / "fabric.sock", 0600).value();
    stop_.reset(::eventfd(0, EFD_CLOEXEC));
    {
        const std::lock_guard lock(lock_);
        handed_over_.clear();
    }
    thread_ = std::thread([this] { run(); });
}

void FakeAdapter::hang_up() {
    const std::lock_guard lock(lock_);
    for (auto& session : sessions_)
        (void)::shutdown(session->connection.get(), SHUT_RDWR);  // its thread forgets it
}

std::vector<std::string> FakeAdapter::handed_over() {
    const std::lock_guard lock(lock_);
    return handed_over_;
}

std::shared_ptr<FakeEnd> FakeAdapter::end(std::size_t index) {
    const std::lock_guard lock(lock_);
    return ends_.at(index);
}

std::shared_ptr<FakeBell> FakeAdapter::events() {
    const std::lock_guard lock(lock_);
    return events_;
}

std::shared_ptr<FakeBell> FakeAdapter::mover_bell() {
    const std::lock_guard lock(lock_);
    return mover_;
}

std::shared_ptr<FakeBell> FakeAdapter::peer_bell(abi::DoorbellKind kind, std::uint32_t number) {
    const std::lock_guard lock(lock_);
    const auto found = peer_bells_.find({kind, number});
    return found == peer_bells_.end() ? nullptr : found->second;
}

void FakeAdapter::grant(std::uint32_t handle, FakeGrant grant) {
    const std::lock_guard lock(lock_);
    refused_grants_.erase(handle);
    grants_[handle] = std::move(grant);
}

void FakeAdapter::refuse_grant(std::uint32_t handle, abi::Error error) {
    const std::lock_guard lock(lock_);
    refused_grants_[handle] = error;
}

void FakeAdapter::want_connection() {
    const std::lock_guard lock(lock_);
    ++wanted_;
    events_->ring(static_cast<std::uint32_t>(abi::DoorbellEvent::connection_wanted));
}

int FakeAdapter::count(abi::Request type) {
    const std::lock_guard lock(lock_);
    return counts_[static_cast<std::uint16_t>(type)];
}

std::vector<abi::RegisterRequest> FakeAdapter::registered() {
    const std::lock_guard lock(lock_);
    return registered_;
}

void FakeAdapter::run() {
    for (;;) {
        std::vector<pollfd> files{{stop_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
        for (const auto& session : sessions_)
            files.push_back({session->connection.get(), POLLIN, 0});
        (void)::poll(files.data(), files.size(), -1);
        if (files[0].revents != 0)
            return;
        const std::lock_guard lock(lock_);
        for (std::size_t i = sessions_.size(); i-- > 0;) {
            if (files[i + 2].revents != 0 && !serve(*sessions_[i]))
                sessions_.erase(sessions_.begin() + static_cast<std::ptrdiff_t>(i));
        }
        if (files[1].revents != 0) {
            auto accepted = platform::accept_from(listener_.get());
            if (accepted.has_value()) {
                sessions_.push_back(std::make_unique<Session>());
                sessions_.back()->connection = std::move(*accepted);
            }
        }
    }
}

bool FakeAdapter::serve(Session& session) {
    std::byte buffer[abi::kMaxMessage];
    auto request = control::receive_request(session.connection.get(), buffer);
    if (!request.has_value())
        return request.error().code == ErrorCode::again;
    ++counts_[request->header.type];
    if (static_cast<abi::Request>(request->header.type) == hang_up_on && hang_ups > 0) {
        --hang_ups;
        return false;
    }
    auto done = answer(session, *request);
    if (!done.has_value()) {
        return control::reply_error(session.connection.get(), request->header, done.error())
            .has_value();
    }
    return true;
}

Result<void> FakeAdapter::answer(Session& session, control::IncomingRequest& request) {
    const int fd = session.connection.get();
    switch (static_cast<abi::Request>(request.header.type)) {
        case abi::Request::attach:
            return answer_attach(session, request);
        case abi::Request::resume_doorbell:
        case abi::Request::resume_region:
        case abi::Request::resume_queue_pair:
        case abi::Request::resume_done:
            return answer_resume(session, request);
        case abi::Request::register_region: {
            CW_TRY_ASSIGN(const auto asked, control::parse<abi::RegisterRequest>(request.bytes));
            if (register_error != abi::Error::none)
                return fail(register_error, "the test wants this registration to fail");
            registered_.push_back(asked);
            CW_TRY(platform::require_seals(request.descriptor.get(), platform::kSizeSeals, 0));
            auto reply = control::make_reply<abi::RegisterReply>(request.header);
            if (asked.part == 0)
                region_files_.emplace_back();
            region_files_.back().push_back(inode_of(request.descriptor.get()));
            if (asked.part + 1 == asked.parts)
                reply.handle = next_handle++;
            reply.generation = 7;
            return control::reply(fd, reply);
        }
        case abi::Request::region_status: {
            auto reply = control::make_reply<abi::RegionStatusReply>(request.header);
            reply.append_offset = 4711;
            return control::reply(fd, reply);
        }
        case abi::Request::listen: {
            auto reply = control::make_reply<abi::ListenReply>(request.header);
            reply.listener = 5;
            return control::reply(fd, reply);
        }
        case abi::Request::open_doorbell:
        case abi::Request::wakeup_socket:
            return answer_doorbell(session, request);
        case abi::Request::create_queue_pair:
        case abi::Request::connect:
        case abi::Request::accept:
            return answer_queue_pair(session, request);
        case abi::Request::close_doorbell:
        case abi::Request::deregister_region:
        case abi::Request::close_listener:
        case abi::Request::disconnect:
            return control::reply_empty(fd, request.header);
        case abi::Request::resolve:
            return answer_resolve(session, request);
        case abi::Request::stats:
        case abi::Request::open_direct:
        case abi::Request::narrow_region:
        case abi::Request::segment_status:
        case abi::Request::reload:
        case abi::Request::explain:
        case abi::Request::bus:
            break;
        case abi::Request::open_segment:
        case abi::Request::copy_segment:
        case abi::Request::close_segment:
        case abi::Request::resume_segment:
            return answer_segment(session, request);
    }
    return fail(ErrorCode::unsupported, "not played by the test");
}

Result<void> FakeAdapter::answer_doorbell(Session& session, control::IncomingRequest& request) {
    const int fd = session.connection.get();
    if (static_cast<abi::Request>(request.header.type) == abi::Request::open_doorbell) {
        CW_TRY_ASSIGN(const auto asked, control::parse<abi::OpenDoorbellRequest>(request.bytes));
        auto bell = std::make_shared<FakeBell>();
        bell->kind = static_cast<abi::DoorbellKind>(asked.kind);
        if (bell->kind == abi::DoorbellKind::events)
            events_ = bell;
        if (bell->kind == abi::DoorbellKind::mover)
            mover_ = bell;
        if (bell->kind >= abi::DoorbellKind::bell_in)
            peer_bells_[{bell->kind, asked.index}] = bell;
        auto reply = control::make_reply<abi::OpenDoorbellReply>(request.header);
        reply.doorbell = static_cast<std::uint32_t>(session.bells.size());
        session.bells.push_back(bell);
        if (journal)
            journal_[session.number] = session.bells;
        return control::reply(fd, reply, bell->page_fd.get());
    }
    CW_TRY_ASSIGN(const auto asked, control::parse<abi::DoorbellRequest>(request.bytes));
    FakeBell& bell = *session.bells.at(asked.doorbell);
    CW_TRY(control::reply_empty(fd, request.header, bell.peer_end.get()));
    bell.peer_end.reset();
    return {};
}

Result<void> FakeAdapter::answer_queue_pair(Session& session, control::IncomingRequest& request) {
    const int fd = session.connection.get();
    const auto type = static_cast<abi::Request>(request.header.type);
    if (type == abi::Request::create_queue_pair) {
        CW_TRY_ASSIGN(const auto asked, control::parse<abi::CreateQueuePairRequest>(request.bytes));
        const auto index = static_cast<std::uint32_t>(ends_.size());
        auto end = std::make_shared<FakeEnd>(asked.shape, session.bells.at(asked.completions),
                                             session.bells.at(0), index);
        ends_.push_back(end);
        auto reply = control::make_reply<abi::CreateQueuePairReply>(request.header);
        reply.queue_pair = index;
        reply.doorbell_bit = index;
        reply.ready_bit = index;
        reply.memory_size = end->mapping.size();
        return control::reply(fd, reply, end->memory.get());
    }
    if (type == abi::Request::connect) {
        CW_TRY_ASSIGN(const auto asked, control::parse<abi::ConnectRequest>(request.bytes));
        auto reply = control::make_reply<abi::ConnectReply>(request.header);
        reply.executor = static_cast<std::uint32_t>(abi::Executor::adapter);
        ends_.at(asked.queue_pair)->set_state(connect_outcome, connect_reason);
        return control::reply(fd, reply);
    }
    CW_TRY_ASSIGN(const auto asked, control::parse<abi::AcceptRequest>(request.bytes));
    if (wanted_ == 0)
        return fail(ErrorCode::again, "nobody waits");
    --wanted_;
    auto reply = control::make_reply<abi::AcceptReply>(request.header);
    reply.executor = static_cast<std::uint32_t>(abi::Executor::adapter);
    CW_TRY(store_text(reply.peer, "somebody"));
    ends_.at(asked.queue_pair)->set_state(abi::QueuePairState::connected);
    return control::reply(fd, reply);
}

Result<void> FakeAdapter::answer_attach(Session& session, control::IncomingRequest& request) {
    CW_TRY_ASSIGN(const auto asked, control::parse<abi::AttachRequest>(request.bytes));
    if (asked.name[0] == '\0' && (asked.flags & abi::attach_flag::kObserver) == 0)
        return fail(ErrorCode::invalid_argument, "no name given: choose a name");
    session.number = next_session_;
    if ((asked.flags & abi::attach_flag::kResume) != 0) {
        if (resume_error != abi::Error::none)
            return fail(resume_error, "the test wants nobody to come back");
        const auto known = journal_.find(asked.session);
        if (known == journal_.end())
            return fail(ErrorCode::not_found, "no such session");
        if (asked.token[0] != kToken)
            return fail(ErrorCode::denied, "this is another one's session");
        session.number = asked.session;
        session.bells = known->second;
    } else {
        ++next_session_;
    }
    auto reply = control::make_reply<abi::AttachReply>(request.header);
    reply.major = abi::kMajor;
    reply.session = session.number;
    reply.movers = 1;
    reply.max_bytes = std::uint64_t{4} << 30;
    reply.max_regions = 64;
    reply.max_queue_pairs = 4096;
    std::memcpy(reply.name, asked.name, sizeof reply.name);
    if (journal)
        std::memset(reply.token, kToken, sizeof reply.token);
    return control::reply(session.connection.get(), reply);
}

Result<void> FakeAdapter::answer_resume(Session& session, control::IncomingRequest& request) {
    const int fd = session.connection.get();
    const ino_t file = inode_of(request.descriptor.get());
    const auto note = [&](std::string what, bool right) {
        handed_over_.push_back(std::move(what) + (right ? "" : "?"));
    };
    switch (static_cast<abi::Request>(request.header.type)) {
        case abi::Request::resume_doorbell: {
            CW_TRY_ASSIGN(const auto asked,
                          control::parse<abi::ResumeDoorbellRequest>(request.bytes));
            FakeBell& bell = *session.bells.at(asked.doorbell);
            note("doorbell " + std::to_string(asked.doorbell),
                 file == inode_of(bell.page_fd.get()));
            bell.renew();
            CW_TRY(control::reply_empty(fd, request.header, bell.peer_end.get()));
            bell.peer_end.reset();
            return {};
        }
        case abi::Request::resume_region: {
            CW_TRY_ASSIGN(const auto asked,
                          control::parse<abi::ResumeRegionRequest>(request.bytes));
            note(
                "region " + std::to_string(asked.handle) + "." + std::to_string(asked.part),
                asked.generation == 7 && file == region_files_.at(asked.handle - 1).at(asked.part));
            return control::reply_empty(fd, request.header);
        }
        case abi::Request::resume_queue_pair: {
            CW_TRY_ASSIGN(const auto asked,
                          control::parse<abi::ResumeQueuePairRequest>(request.bytes));
            note("queue pair " + std::to_string(asked.queue_pair),
                 file == inode_of(ends_.at(asked.queue_pair)->memory.get()));
            return control::reply_empty(fd, request.header);
        }
        default:
            break;
    }
    note("done", true);
    CW_TRY(control::reply_empty(fd, request.header));
    for (const auto& end : ends_) {
        if (end->completions->socket().valid())
            end->completions->ring(end->ready_bit);
    }
    session.bells.at(0)->ring(static_cast<std::uint32_t>(abi::DoorbellEvent::queue_pair_changed));
    return {};
}

Result<void> FakeAdapter::answer_resolve(Session& session, control::IncomingRequest& request) {
    CW_TRY_ASSIGN(const auto asked, control::parse<abi::ResolveRequest>(request.bytes));
    if (const auto refused = refused_grants_.find(asked.handle); refused != refused_grants_.end())
        return fail(refused->second, "the test wants this grant to be refused");
    const auto found = grants_.find(asked.handle);
    if (found == grants_.end())
        return fail(ErrorCode::not_found, "no such region");
    auto reply = found->second.terms;
    reply.header = control::make_reply<abi::ResolveReply>(request.header).header;
    return control::reply(session.connection.get(), reply,
                          found->second.parts.at(asked.part).get());
}

}  // namespace causeway::test
