#include "core/data/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fovea {
namespace {

using ::testing::HasSubstr;

using Rows = std::vector<std::vector<std::string>>;

absl::StatusOr<Rows> ReadAll(absl::string_view text) {
  CsvReader reader(text);
  CsvRecord record;
  Rows rows;
  while (true) {
    const absl::StatusOr<bool> more = reader.Next(&record);
    if (!more.ok()) return more.status();
    if (!*more) return rows;
    rows.emplace_back();
    for (const CsvField& field : record.fields) rows.back().push_back(field.text);
  }
}

TEST(CsvReader, ReadsRecords) {
  const struct {
    absl::string_view text;
    Rows rows;
  } cases[] = {
      {"", {}},
      {"\n\r\n\n", {}},
      {"a", {{"a"}}},
      {"a,b\nc,d\n", {{"a", "b"}, {"c", "d"}}},
      {"a,b\r\nc,\r\n", {{"a", "b"}, {"c", ""}}},
      {"a,\n\n,b", {{"a", ""}, {"", "b"}}},
      {"\xef\xbb\xbf"
       "a,b",
       {{"a", "b"}}},
      {"\"a,b\",\"c\"\"d\"", {{"a,b", "c\"d"}}},
      {"\"two\nlines\",x\ny", {{"two\nlines", "x"}, {"y"}}},
      {"\"\",\"\"", {{"", ""}}},
      {"a\"b,c", {{"a\"b", "c"}}},
      {"a b , c", {{"a b ", " c"}}},
  };
  for (const auto& c : cases) EXPECT_EQ(ReadAll(c.text).value(), c.rows) << c.text;
}

TEST(CsvReader, CountsLinesAndMarksQuotes) {
  CsvReader reader("\n\"a\nb\",c\nd");
  CsvRecord record;
  ASSERT_TRUE(reader.Next(&record).value());
  EXPECT_EQ(record.line, 2);
  EXPECT_TRUE(record.fields[0].quoted);
  EXPECT_FALSE(record.fields[1].quoted);
  ASSERT_TRUE(reader.Next(&record).value());
  EXPECT_EQ(record.line, 4);
  EXPECT_FALSE(reader.Next(&record).value());
}

TEST(CsvReader, NamesTheLineOfAFault) {
  const absl::Status open = ReadAll("a\n\"b").status();
  EXPECT_TRUE(absl::IsInvalidArgument(open));
  EXPECT_THAT(std::string(open.message()), HasSubstr("line 2: a quoted field does not end"));
  EXPECT_THAT(std::string(ReadAll("\"a\"b").status().message()), HasSubstr("found 'b'"));
}

}  // namespace
}  // namespace fovea
