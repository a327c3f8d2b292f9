#include "client/csv.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

std::vector<std::string> OnlyFields(absl::string_view text) {
  const auto records = ParseCsv(text);
  EXPECT_TRUE(records.ok()) << records.status();
  EXPECT_THAT(*records, SizeIs(1));
  return records->front().fields;
}

TEST(ParseCsv, TellsNoFieldFromAnEmptyOne) {
  EXPECT_THAT(OnlyFields("a.png"), ElementsAre("a.png"));
  EXPECT_THAT(OnlyFields("a.png,\n"), ElementsAre("a.png", ""));
}

TEST(ParseCsv, ReadsQuotedFields) {
  EXPECT_THAT(OnlyFields("\"a,b.png\",\"say \"\"hi\"\"\",c\r\n"),
              ElementsAre("a,b.png", "say \"hi\"", "c"));
  EXPECT_THAT(OnlyFields("\"two\nlines\",c"), ElementsAre("two\nlines", "c"));
}

TEST(ParseCsv, SkipsEmptyLinesAndCountsThem) {
  const auto records = ParseCsv("\xEF\xBB\xBF\r\na,b\n\n\nc,d");
  ASSERT_TRUE(records.ok());
  ASSERT_THAT(*records, SizeIs(2));
  EXPECT_EQ((*records)[0].line, 2);
  EXPECT_EQ((*records)[1].line, 5);
  EXPECT_THAT((*records)[1].fields, ElementsAre("c", "d"));
}

TEST(ParseCsv, NamesTheLineOfABadQuote) {
  EXPECT_THAT(std::string(ParseCsv("a\nb,\"c\n\nd").status().message()), HasSubstr("line 2"));
  EXPECT_THAT(std::string(ParseCsv("a\nb\"c").status().message()), HasSubstr("line 2"));
  EXPECT_THAT(std::string(ParseCsv("\"a\"b").status().message()), HasSubstr("closing quote"));
}

}  // namespace
}  // namespace fovea::cli
