// What stands in the journal is there for the next daemon; what does not fit is not read.
#include "adapter/journal.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "support/temp_directory.hpp"

namespace causeway::adapter {
namespace {

class JournalFile : public testing::Test {
protected:
    std::unique_ptr<Journal> open() {
        complaint_.clear();
        auto opened = Journal::open(fd_.get(), complaint_);
        EXPECT_TRUE(opened.has_value()) << opened.error().text;
        return opened ? std::move(*opened) : nullptr;
    }
    [[nodiscard]] std::string path() const { return directory_ / kJournalName; }
    void overwrite(std::streamoff at, const std::string& bytes) const {
        std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(at);
        file << bytes;
    }

    test::TempDirectory directory_;
    platform::UniqueFd fd_{::open(directory_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    std::string complaint_;
};

ListenerCell* add_listener(Journal& journal, std::uint32_t session, std::uint32_t id) {
    auto* cell = journal.add<ListenerCell>(session).value();
    cell->id = id;
    Journal::publish(cell);
    return cell;
}

TEST_F(JournalFile, HoldsWhatWasPublishedAndNotFreed) {
    {
        const auto journal = open();
        EXPECT_EQ(complaint_, "");
        EXPECT_TRUE(journal->lasting());
        add_listener(*journal, 1, 10);
        ListenerCell* const freed = add_listener(*journal, 1, 11);
        ListenerCell* const invalid = add_listener(*journal, 2, 12);
        (void)journal->add<ListenerCell>(2).value();  // never published
        journal->free(freed);
        Journal::invalidate(invalid);
        journal->numbers().last_session = 7;
    }
    const auto journal = open();
    EXPECT_EQ(complaint_, "");
    EXPECT_EQ(journal->numbers().last_session, 7u);
    const auto found = journal->all<ListenerCell>();
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0]->id, 10u);
    EXPECT_EQ(found[0]->head.session, 1u);
    EXPECT_TRUE(journal->all<RegionCell>().empty());
}

TEST_F(JournalFile, GrowsAndCellsStayWhereTheyAre) {
    constexpr std::uint32_t kMany = 3000;
    std::vector<ListenerCell*> cells;
    {
        const auto journal = open();
        for (std::uint32_t i = 0; i < kMany; ++i)
            cells.push_back(add_listener(*journal, 1, i));
        for (std::uint32_t i = 0; i < kMany; ++i)
            ASSERT_EQ(cells[i]->id, i);
    }
    EXPECT_EQ(open()->all<ListenerCell>().size(), kMany);
}

TEST_F(JournalFile, SweepsWhatBelongsToNobody) {
    const auto journal = open();
    add_listener(*journal, 1, 1);
    add_listener(*journal, 2, 2);
    add_listener(*journal, 3, 3)->head.kind = 99;
    journal->sweep([](std::uint32_t session) { return session != 2; });
    const auto left = journal->all<ListenerCell>();
    ASSERT_EQ(left.size(), 1u);
    EXPECT_EQ(left[0]->id, 1u);
}

TEST_F(JournalFile, OfAnotherFormatBootOrOwnerIsReplaced) {
    const auto spoil = [this](auto&& how) {
        add_listener(*open(), 1, 1);
        how();
        const auto journal = open();
        EXPECT_NE(complaint_, "");
        EXPECT_TRUE(journal->all<ListenerCell>().empty());
    };
    spoil([&] { overwrite(0, "nonsense"); });
    spoil([&] { overwrite(8, std::string("\x63", 1)); });
    spoil([&] { overwrite(16, "another-boot"); });
    spoil([&] { ASSERT_EQ(::truncate(path().c_str(), 1000), 0); });
    spoil([&] { ASSERT_EQ(::truncate(path().c_str(), 0), 0); });
    spoil([&] { ASSERT_EQ(::chmod(path().c_str(), 0644), 0); });
    spoil([&] { ASSERT_EQ(::link(path().c_str(), (directory_ / "second").c_str()), 0); });
    ::unlink((directory_ / "second").c_str());
    spoil([&] {
        ASSERT_EQ(::unlink(path().c_str()), 0);
        ASSERT_EQ(::symlink("/etc/passwd", path().c_str()), 0);
    });
    spoil([&] {
        ASSERT_EQ(::unlink(path().c_str()), 0);
        ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
    });
}

TEST_F(JournalFile, IsReadableForItsOwnerOnly) {
    (void)open();
    struct stat facts {};
    ASSERT_EQ(::stat(path().c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 07777, 0600u);
}

TEST(Journal, InMemoryIsFoundByNobody) {
    const auto journal = Journal::in_memory().value();
    EXPECT_FALSE(journal->lasting());
    add_listener(*journal, 1, 1);
    EXPECT_EQ(journal->all<ListenerCell>().size(), 1u);
}

}  // namespace
}  // namespace causeway::adapter
