using Tomlyn;
using Tomlyn.Parsing;
using Tomlyn.Syntax;

namespace StableTune.Formats;

/// <summary>Tomlyn's syntax tree of a text, or the first fault of its notation as an exception of ours.</summary>
internal static class TomlSyntax
{
    // Tomlyn counts the document as a level of its own.
    private static readonly TomlSerializerOptions s_options = new() { MaxDepth = TomlDocument.MaximumDepth + 1 };
    private static readonly TomlLexerOptions s_lexing = new() { DecodeScalars = true };

    /// <summary>Parses a text. Which keys may stand where is looked at by <see cref="TomlTableReader"/>, which knows all places.</summary>
    /// <param name="text">The text.</param>
    /// <param name="places">The places in it.</param>
    /// <exception cref="InvalidConfigurationException">The notation is wrong.</exception>
    public static DocumentSyntax Parse(string text, TomlPlaces places)
    {
        var lexer = TomlLexer.Create(text, s_lexing, places.Path);
        DocumentSyntax document;
        try
        {
            document = SyntaxParser.Parse(lexer, s_options, validate: false);
        }
        catch (TomlException e)
        {
            var position = places.At(lexer.CurrentSpan.Start.Offset);
            var nested = $"tables and lists are nested more than {TomlDocument.MaximumDepth} deep.";
            throw new InvalidConfigurationException(places.Path, position, nested, "Write it flatter.", e);
        }
        catch (ArgumentOutOfRangeException e)
        {
            // What Tomlyn 2.10 throws for a text that ends behind a backslash.
            throw new InvalidConfigurationException(
                places.Path, places.At(text.Length), "the file ends behind a backslash.", TomlRemedies.Escapes, e);
        }

        if (!document.HasErrors) return document;
        var errors = document.Diagnostics.Where(message => message.Kind == DiagnosticMessageKind.Error);
        var (at, first) = errors.Select(message => (At: Offset(message, text), message.Message)).MinBy(error => error.At);
        throw places.Fault(places.At(at), TomlRemedies.InWords(first), TomlRemedies.For(first, text.AsSpan(at)));
    }

    /// <summary>Where a fault stands; what Tomlyn says of the end of the file it may place at the beginning.</summary>
    private static int Offset(DiagnosticMessage message, string text)
    {
        var offset = message.Span.Offset;
        return offset == 0 && message.Message.Contains("<eof>", StringComparison.Ordinal) ? text.Length
            : Math.Clamp(offset, 0, text.Length);
    }
}
