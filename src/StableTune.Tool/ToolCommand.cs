using System.CommandLine;

namespace StableTune.Tool;

/// <summary>One command of the program: its options and what it does. A new command is one file and one line of
/// <see cref="StableTuneProgram"/>.</summary>
internal abstract class ToolCommand
{
    private readonly Command _command;

    /// <summary>Begins a command.</summary>
    /// <param name="name">What is typed: <c>merge-lora</c>.</param>
    /// <param name="description">What it does, for the help.</param>
    protected ToolCommand(string name, string description)
    {
        _command = new Command(name, description);
        Alias(name);
    }

    /// <summary>The command, ready to be run.</summary>
    /// <param name="start">Runs work, and gives the exit code.</param>
    public Command Build(Func<Action<ToolRun>, CancellationToken, int> start)
    {
        // The work has a thread of its own, because tensor scopes belong to a thread.
        _command.SetAction((arguments, cancellationToken) => Task.Factory.StartNew(
            () => start(run => Run(arguments, run), cancellationToken), CancellationToken.None, TaskCreationOptions.LongRunning,
            TaskScheduler.Default));
        return _command;
    }

    /// <summary>Does it.</summary>
    protected abstract void Run(ParseResult arguments, ToolRun run);

    /// <summary>Another name of the command; with underscores, as the references' scripts have them, it is understood too.</summary>
    protected void Alias(string name)
    {
        if (name != _command.Name) _command.Aliases.Add(name);
        if (name.Contains('-', StringComparison.Ordinal)) _command.Aliases.Add(name.Replace('-', '_'));
    }

    /// <summary>An option with a default, which the help shows.</summary>
    /// <param name="name">Its name with underscores, as in the references: <c>save_precision</c>; hyphens are understood too.</param>
    /// <param name="description">What it is for.</param>
    /// <param name="initial">The default.</param>
    /// <param name="letter">A short spelling, with its hyphen: "-d".</param>
    protected Option<T> Option<T>(string name, string description, T initial, string? letter = null)
    {
        var option = Optional<T>(name, description, letter);
        option.DefaultValueFactory = _ => initial;
        return option;
    }

    /// <summary>An option that may be left out.</summary>
    /// <param name="name">Its name with underscores, as in the references; hyphens are understood too.</param>
    /// <param name="description">What it is for.</param>
    /// <param name="letter">A short spelling, with its hyphen: "-d".</param>
    /// <param name="aliases">Other spellings, with underscores.</param>
    protected Option<T> Optional<T>(string name, string description, string? letter = null, params IReadOnlyList<string> aliases) =>
        Add<T>(name, description, isRequired: false, letter, aliases);

    /// <summary>An option that must be given.</summary>
    protected Option<T> Required<T>(string name, string description, string? letter = null) =>
        Add<T>(name, description, isRequired: true, letter);

    /// <summary>An option that is there or not.</summary>
    protected Option<bool> Flag(string name, string description) => Add<bool>(name, description, isRequired: false);

    /// <summary>An option that takes one of some words.</summary>
    protected Option<string?> Choice(string name, string description, string? initial, params string[] words)
    {
        var option = Optional<string?>(name, description);
        if (initial is not null) option.DefaultValueFactory = _ => initial;
        return option.AcceptOnlyFromAmong(words);
    }

    /// <summary>Words without a name before them.</summary>
    protected Argument<T> Argument<T>(string name, string description)
    {
        var argument = new Argument<T>(name) { Description = description };
        _command.Add(argument);
        return argument;
    }

    /// <summary>An option that only the help knows: the command reads the words itself.</summary>
    /// <param name="name">Its name with underscores.</param>
    /// <param name="description">What it is for.</param>
    /// <param name="aliases">Other spellings.</param>
    /// <param name="takesValue">Whether a value stands behind it.</param>
    protected void Shown(string name, string description, IEnumerable<string>? aliases = null, bool takesValue = true)
    {
        var spellings = Spellings([name, .. aliases ?? []]);
        _command.Add(new Option<string[]>(spellings[0], spellings[1..])
        {
            Description = description, Arity = takesValue ? ArgumentArity.ZeroOrMore : ArgumentArity.Zero,
            AllowMultipleArgumentsPerToken = true, HelpName = "value",
        });
    }

    /// <summary>Lets the command read words that the parser does not know.</summary>
    protected void TakesUnknownWords() => _command.TreatUnmatchedTokensAsErrors = false;

    private Option<T> Add<T>(string name, string description, bool isRequired, string? letter = null,
        params IReadOnlyList<string> aliases)
    {
        var spellings = Spellings([name, .. aliases]);
        var option = new Option<T>(spellings[0], spellings[1..]);
        (option.Description, option.Required, option.AllowMultipleArgumentsPerToken) = (description, isRequired, typeof(T).IsArray);
        if (letter is not null) option.Aliases.Add(letter);
        _command.Add(option);
        return option;
    }

    /// <summary>Names with underscores, each with hyphens too.</summary>
    private static string[] Spellings(IEnumerable<string> names) =>
        [.. names.SelectMany(name => new[] { name, name.Replace('_', '-') }).Distinct().Select(name => "--" + name)];
}
