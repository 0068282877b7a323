//! Parquet, for tables: what columns are usually kept in.

use std::fs::{self, File};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use parquet::basic::{
    BrotliLevel, Compression, Encoding, LogicalType, Repetition, Type, ZstdLevel,
};
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterVersion};
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{ColumnPath, Type as Schema};

use super::layout::{Column, Table};
use super::{Kind, Laid, Piece, Rival};
use crate::support::files::Scratch;

pub(super) struct Parquet;

/// A page holds a column: smaller ones only cost.
const PAGE_BYTES: usize = 1 << 28;

impl Rival for Parquet {
    fn name(&self) -> &'static str {
        "Parquet"
    }

    fn settings(&self) -> &'static [&'static str] {
        &[
            "dictionaries, zstd 22",
            "plain, zstd 22",
            "by type, zstd 22",
            "dictionaries, brotli 11",
            "plain, brotli 11",
            "by type, brotli 11",
        ]
    }

    fn takes(&self, laid: &Laid, _: usize) -> bool {
        laid.kind == Kind::Table
    }

    fn encode(&self, piece: Piece<'_>, setting: usize) -> Result<Vec<u8>> {
        let table = Table::parse(piece.bytes).context("not a table")?;
        let properties = Arc::new(properties(&table, setting)?);
        let mut writer = SerializedFileWriter::new(Vec::new(), schema(&table)?, properties)?;
        let mut group = writer.next_row_group()?;
        for column in &table.columns {
            let mut writer = group.next_column()?.context("too few columns")?;
            match column {
                Column::Integers(cells) => write::<Int64Type, _>(&mut writer, cells, |&v| v)?,
                Column::Numbers(cells) => write::<DoubleType, _>(&mut writer, cells, |&v| v)?,
                Column::Texts(cells) => {
                    let bytes = |v: &String| ByteArray::from(v.as_str());
                    write::<ByteArrayType, _>(&mut writer, cells, bytes)?;
                }
            }
            writer.close()?;
        }
        group.close()?;
        Ok(writer.into_inner()?)
    }

    fn decode(&self, file: &[u8], piece: Piece<'_>) -> Result<Vec<u8>> {
        let folder = Scratch::new()?;
        let path = folder.path().join("i.parquet");
        fs::write(&path, file)?;
        let reader = SerializedFileReader::new(File::open(&path)?)?;
        let group = reader.get_row_group(0)?;
        let schema = reader.metadata().file_metadata().schema_descr();
        // What stands between cells is the text's, not the table's.
        let mut table = Table::parse(piece.bytes).context("not a table")?;
        table.names.clear();
        table.columns.clear();
        for (i, column) in schema.columns().iter().enumerate() {
            table.names.push(column.name().to_owned());
            let group = group.as_ref();
            table.columns.push(match column.physical_type() {
                Type::INT64 => Column::Integers(read::<Int64Type, _>(group, i, Ok)?),
                Type::DOUBLE => Column::Numbers(read::<DoubleType, _>(group, i, Ok)?),
                _ => {
                    let text = |v: ByteArray| Ok(v.as_utf8()?.to_owned());
                    Column::Texts(read::<ByteArrayType, _>(group, i, text)?)
                }
            });
        }
        Ok(table.to_text().into_bytes())
    }
}

fn properties(table: &Table, setting: usize) -> Result<WriterProperties> {
    let compression = match setting {
        ..3 => Compression::ZSTD(ZstdLevel::try_new(22)?),
        _ => Compression::BROTLI(BrotliLevel::try_new(11)?),
    };
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_created_by(String::new())
        .set_compression(compression)
        .set_dictionary_enabled(setting.is_multiple_of(3))
        .set_dictionary_page_size_limit(PAGE_BYTES)
        .set_data_page_size_limit(PAGE_BYTES)
        .set_data_page_row_count_limit(usize::MAX)
        .set_max_row_group_row_count(None)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true);
    if setting % 3 == 1 {
        // The writer's own choice is by type too.
        properties = properties.set_encoding(Encoding::PLAIN);
    }
    if setting % 3 == 2 {
        for (name, column) in table.names.iter().zip(&table.columns) {
            let encoding = match column {
                Column::Integers(_) => Encoding::DELTA_BINARY_PACKED,
                Column::Numbers(_) => Encoding::BYTE_STREAM_SPLIT,
                Column::Texts(_) => Encoding::DELTA_BYTE_ARRAY,
            };
            let path = ColumnPath::new(vec![name.clone()]);
            properties = properties.set_column_encoding(path, encoding);
        }
    }
    Ok(properties.build())
}

fn schema(table: &Table) -> Result<Arc<Schema>> {
    let columns = table.names.iter().zip(&table.columns);
    let fields = columns.map(|(name, column)| {
        let (physical, logical) = match column {
            Column::Integers(_) => (Type::INT64, None),
            Column::Numbers(_) => (Type::DOUBLE, None),
            Column::Texts(_) => (Type::BYTE_ARRAY, Some(LogicalType::String)),
        };
        let repetition = match column.is_full() {
            true => Repetition::REQUIRED,
            false => Repetition::OPTIONAL,
        };
        let field = Schema::primitive_type_builder(name, physical)
            .with_logical_type(logical)
            .with_repetition(repetition);
        Ok(Arc::new(field.build()?))
    });
    let fields = fields.collect::<Result<_>>()?;
    let schema = Schema::group_type_builder("schema").with_fields(fields);
    Ok(Arc::new(schema.build()?))
}

fn write<T: DataType, V>(
    writer: &mut SerializedColumnWriter<'_>,
    cells: &[Option<V>],
    value: impl Fn(&V) -> T::T,
) -> Result<()> {
    let values: Vec<T::T> = cells.iter().flatten().map(value).collect();
    // Where all cells have values, the column is a required one, which has no levels.
    let levels = (values.len() < cells.len())
        .then(|| cells.iter().map(|c| i16::from(c.is_some())))
        .map(Iterator::collect::<Vec<_>>);
    writer
        .typed::<T>()
        .write_batch(&values, levels.as_deref(), None)?;
    Ok(())
}

fn read<T: DataType, V>(
    group: &dyn RowGroupReader,
    column: usize,
    value: impl Fn(T::T) -> Result<V>,
) -> Result<Vec<Option<V>>> {
    let mut reader = get_typed_column_reader::<T>(group.get_column_reader(column)?);
    let rows = usize::try_from(group.metadata().num_rows())?;
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    let (records, ..) = reader.read_records(rows, Some(&mut levels), None, &mut values)?;
    if records != rows {
        bail!("{records} of {rows} rows are there");
    }
    if levels.is_empty() {
        return values.into_iter().map(|v| value(v).map(Some)).collect();
    }
    let mut values = values.into_iter();
    let cell = |level: i16| match level {
        0 => Ok(None),
        _ => values.next().map(&value).transpose(),
    };
    levels.into_iter().map(cell).collect()
}
