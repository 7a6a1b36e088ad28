namespace StableTune.Tests;

/// <summary>Things by name.</summary>
public sealed class CatalogTests
{
    private static readonly Catalog<int> s_numbers = new Catalog<int>("number").With("two", () => 2).With("one", () => 1)
        .With("eleven", () => 11);

    [Fact]
    public void Create_KnownName_MakesIt() => Assert.Equal([11, 1, 2], s_numbers.Names.Select(s_numbers.Create));

    [Fact]
    public void Names_AreSorted() => Assert.Equal(["eleven", "one", "two"], s_numbers.Names);

    [Fact]
    public void Create_EachTime_MakesAnother()
    {
        var objects = new Catalog<object>("object").With("any", () => new object());
        Assert.NotSame(objects.Create("any"), objects.Create("any"));
    }

    [Theory]
    [InlineData("elven", "\"elven\" is no known number. Did you mean \"eleven\"? Known are: eleven, one, two. (Parameter 'name')")]
    [InlineData("ONE", "\"ONE\" is no known number. Did you mean \"one\"? Known are: eleven, one, two. (Parameter 'name')")]
    [InlineData("hundred thousand", "\"hundred thousand\" is no known number. Known are: eleven, one, two. (Parameter 'name')")]
    public void Create_UnknownName_TellsTheKnownOnesAndTheNearest(string wrong, string message) =>
        Assert.Equal(message, Assert.Throws<ArgumentException>(() => s_numbers.Create(wrong)).Message);

    [Fact]
    public void With_AddsAndReplaces_AndLeavesTheOldCatalogueAsItWas()
    {
        var more = s_numbers.With("three", () => 3).With("one", () => 100);
        Assert.Equal((3, 100), (more.Create("three"), more.Create("one")));
        Assert.Equal(1, s_numbers.Create("one"));
        Assert.True(more.Contains("three"));
        Assert.False(s_numbers.Contains("three"));
    }

    [Fact]
    public void Create_WhereCaseDoesNotCount_TakesAnySpelling_AndKeepsTheNamesAsTheyWereGiven()
    {
        var catalog = new Catalog<int>("number", StringComparer.OrdinalIgnoreCase).With("One", () => 1).With("Two", () => 2);
        Assert.Equal((1, 2, 1), (catalog.Create("ONE"), catalog.Create("two"), catalog.Create("One")));
        Assert.Equal(["One", "Two"], catalog.Names);
        Assert.Equal(3, catalog.With("oNE", () => 3).Create("one"));
        Assert.True(catalog.Contains("tWO"));
    }

    [Fact]
    public void EmptyNamesAndKinds_AreRefused()
    {
        Assert.Throws<ArgumentException>(() => s_numbers.With(" ", () => 0));
        Assert.Throws<ArgumentException>(() => new Catalog<int>(""));
        Assert.Throws<ArgumentNullException>(() => new Catalog<int>("number", null!));
        Assert.Throws<ArgumentNullException>(() => s_numbers.With("zero", null!));
        Assert.Throws<ArgumentNullException>(() => s_numbers.Create(null!));
    }
}
